"""What serve_api uses. The library's own index loads the resolvers of six other services too, and with them asyncio."""

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayRestResolver, CORSConfig, Response

__all__ = ["APIGatewayRestResolver", "CORSConfig", "Response"]
