"""Rendered clips have exactly the asked form, and show and sound as asked."""
