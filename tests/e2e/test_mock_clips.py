"""The mock's clips in a real browser: what a person who watches one sees and hears."""

import base64

import pytest
from playwright.sync_api import Browser

from mock_server.video import Clip, make_renderer
from tests.mock.media_files import mp3, wav

CLIP = Clip(1280, 720, 3, True, True, "character1 sings.", (("seed", "1"),), (b"",), None)
# Plays half a second of it, and decodes all of its sound: [width, height, seconds, sound heard, samples, loudness].
WATCHED = """async encoded => {
    const video = document.createElement('video');
    video.src = 'data:video/mp4;base64,' + encoded;
    await video.play();
    await new Promise(done => video.ontimeupdate = () => video.currentTime > 0.5 && done());
    video.pause();
    const file = await (await fetch(video.src)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(file);
    const second = sound.getChannelData(0).slice(0, 48000);
    const power = second.reduce((sum, sample) => sum + sample * sample, 0) / second.length;
    return [video.videoWidth, video.videoHeight, video.duration, video.webkitAudioDecodedByteCount > 0,
            sound.length, Math.sqrt(power)];
}"""


@pytest.mark.parametrize(
    ("track", "loudness"),
    [(None, 0.02), (wav(5), 0.5), (wav(2, rate=8_000), 0.5), (mp3(wav(5)), 0.35)],
    ids=["chord", "long WAV", "short WAV", "MP3"],
)
def test_a_browser_plays_picture_and_sound(browser: Browser, track: bytes | None, loudness: float) -> None:
    data = make_renderer().render(Clip(**{**vars(CLIP), "audio_track": track}))
    page = browser.new_page()
    *facts, heard = page.evaluate(WATCHED, base64.b64encode(data).decode())
    page.close()
    assert facts == [1280, 720, 3, True, 3 * 48_000]
    assert heard == pytest.approx(loudness, rel=0.3)
