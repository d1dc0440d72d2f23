"""Records as a gateway stores them for years: poll replies in new-api's form, the same for the same count.

Of 100 records about 80 are finished and have one to three buttons, 6 failed, 14 are under way or waiting; one in twenty
has no times, one in eight a prompt in Chinese with its translation. They are about 860 bytes long.
"""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any, Final

_SEED: Final = 20261122
_FIRST: Final = 1_740_000_000_000
"""When the first task was submitted, in milliseconds; the others follow by a second or two."""

_STATUSES: Final = {
    "SUCCESS": 80,
    "IN_PROGRESS": 9,
    "FAILURE": 6,
    "SUBMITTED": 3,
    "NOT_START": 1,
    "MODAL": 1,
}
_ACTIONS: Final = {"IMAGINE": 55, "UPSCALE": 25, "VARIATION": 12, "REROLL": 5, "BLEND": 2, "PAN": 1}
_BUTTONS: Final = (("upsample", "U", ""), ("variation", "V", ""), ("reroll", "", "🔄"), ("pan_left", "", "⬅️"))
_WORDS: Final = re.findall(
    r"\w+",
    "a an old red lighthouse harbour at dusk dawn in the fog over calm stormy sea with gulls small boats cinematic "
    "watercolor oil painting ultra detailed volumetric light portrait of cat astronaut neon city rain reflections",
)
_CHINESE: Final = re.findall(r"\w+", "黄昏 的 灯塔 海边 雾 电影 感 小船 水彩 猫 宇航员 霓虹 城市 雨")
_REASONS: Final = (
    "Banned prompt detected",
    "[Request cancelled due to output filters] 生成的图片包含敏感内容",
    "任务超时",
)


def records(count: int) -> Iterator[bytes]:
    """So many records, each one line of JSON."""
    random = Random(_SEED)  # noqa: S311 each run needs the same records; nothing here is secret
    statuses = random.choices([*_STATUSES], [*_STATUSES.values()], k=count)
    actions = random.choices([*_ACTIONS], [*_ACTIONS.values()], k=count)
    submitted = _FIRST
    for status, action in zip(statuses, actions, strict=True):
        submitted += random.randint(1, 2000)
        yield json.dumps(_record(random, status, action, submitted), ensure_ascii=False, separators=(",", ":")).encode()


def _record(random: Random, status: str, action: str, submitted: int) -> dict[str, Any]:
    done, failed = status == "SUCCESS", status == "FAILURE"
    task_id = f"{submitted}{random.randint(0, 999):03}"
    prompt_en = f"{' '.join(random.choices(_WORDS, k=random.randint(4, 12)))} --ar 16:9 --v 7"
    prompt = "".join(random.choices(_CHINESE, k=8)) if random.random() < 1 / 8 else prompt_en
    has_times = random.random() > 1 / 20
    started = submitted + random.randint(200, 5000)
    running = status == "IN_PROGRESS"
    return {
        "id": task_id,
        "action": action,
        "customId": "",
        "botType": "MID_JOURNEY",
        "prompt": prompt,
        "promptEn": prompt_en,
        "description": "提交成功" if not failed else "",
        "state": "",
        "submitTime": submitted if has_times else 0,
        "startTime": started if has_times and (done or failed or running) else 0,
        "finishTime": started + random.randint(20_000, 90_000) if has_times and (done or failed) else 0,
        "imageUrl": _picture(random, task_id, done=done) if done or running else "",
        "videoUrl": "",
        "videoUrls": None,
        "status": status,
        "progress": "100%" if done or failed else f"{random.randint(0, 99)}%" if running else "0%",
        "failReason": random.choice(_REASONS) if failed else "",
        "buttons": _buttons(random) if done else [],
        "maskBase64": "",
        "properties": {"finalPrompt": prompt_en, "finalZhPrompt": ""} if done else None,
    }


def _picture(random: Random, task_id: str, *, done: bool) -> str:
    if not done:
        return f"https://gateway.example.com/mj/image/{task_id}?rand={random.randint(10**18, 9 * 10**18)}"
    place = f"{random.randint(10**18, 9 * 10**18)}/{random.randint(10**18, 9 * 10**18)}"
    return f"https://cdn.discordapp.com/attachments/{place}/user_a_lighthouse_{random.getrandbits(128):032x}.png"


def _buttons(random: Random) -> list[dict[str, Any]]:
    job = f"{random.getrandbits(128):032x}"
    chosen = [random.choice(_BUTTONS) for _ in range(random.randint(1, 3))]
    return [
        {
            "customId": f"MJ::JOB::{kind}::{index}::{job}",
            "emoji": emoji,
            "label": label and f"{label}{index}",
            "type": 2,
            "style": 2,
        }
        for index, (kind, label, emoji) in enumerate(chosen, start=1)
    ]
