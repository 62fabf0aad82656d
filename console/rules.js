// Made from layers/common/wanflow by `make fmt`; do not edit.

export const MODEL = "wan26_r2v";
export const MAX_PROMPT_CHARACTERS = 1500;
export const MAX_REFERENCES = 5;
export const MAX_SEED = 2147483647;
export const SIZES = {"720P": ["1280*720", "720*1280", "960*960", "1088*832", "832*1088"], "1080P": ["1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"]};
export const DURATION = {"low": 2, "high": 15};
export const DEFAULTS = {"size": "1920*1080", "duration": 5, "prompt_extend": true, "watermark": false, "audio": true, "shot_type": "single"};
export const UPLOADS = {"image/jpeg": {"kind": "image", "ending": "jpg"}, "image/png": {"kind": "image", "ending": "png"}, "image/bmp": {"kind": "image", "ending": "bmp"}, "image/webp": {"kind": "image", "ending": "webp"}, "video/mp4": {"kind": "video", "ending": "mp4"}, "video/quicktime": {"kind": "video", "ending": "mov"}, "audio/wav": {"kind": "audio", "ending": "wav"}, "audio/mpeg": {"kind": "audio", "ending": "mp3"}};
export const MAX_BYTES = {"image": 10485760, "video": 104857600, "audio": 15728640};
export const STATUSES = ["queued", "submitting", "processing", "completed", "failed", "canceled"];
