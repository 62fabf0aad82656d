"""The quiet chord of clips without a given sound: a few AAC packets that make a track of any length."""

from dataclasses import dataclass

from .mp4 import AAC_FRAME_SAMPLES, AacTrack

SAMPLE_RATE = 48_000
CHANNELS = 2
BIT_RATE = 96_000
CYCLE_PACKETS = 16


@dataclass(frozen=True)
class Chord:
    """AAC packets: 32 that fade in, 16 that may follow themselves, 16 that fade out, 16 of silence.

    `config`: the AudioSpecificConfig of all of them.
    """

    config: bytes
    start: list[bytes]
    cycle: list[bytes]
    end: list[bytes]
    silence: list[bytes]

    def track(self, seconds: int) -> AacTrack:
        """A track of this length. Less than a third of a second of silence may end it."""
        cycles, rest = divmod(_packet_count(seconds) - len(self.start) - len(self.end), CYCLE_PACKETS)
        packets = [*self.start, *(self.cycle * cycles), *self.end, *self.silence[:rest]]
        return AacTrack(SAMPLE_RATE, CHANNELS, self.config, packets, BIT_RATE)


def _packet_count(seconds: int) -> int:
    """Packets in a track of this length: one more than its sound needs, for the encoder's run-in."""
    return -(-(AAC_FRAME_SAMPLES + seconds * SAMPLE_RATE) // AAC_FRAME_SAMPLES)
