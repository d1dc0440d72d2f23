"""As much of the mapping as DuckDB can: SQL from a file of JSON lines to a file of JSON lines."""

from collections.abc import Iterable
from typing import Final

import duckdb

from benchmarks.rivals import Sample

_COLUMNS: Final = {
    "id": "VARCHAR",
    "action": "VARCHAR",
    "customId": "VARCHAR",
    "botType": "VARCHAR",
    "prompt": "VARCHAR",
    "promptEn": "VARCHAR",
    "description": "VARCHAR",
    "state": "VARCHAR",
    "submitTime": "BIGINT",
    "startTime": "BIGINT",
    "finishTime": "BIGINT",
    "imageUrl": "VARCHAR",
    "status": "VARCHAR",
    "progress": "VARCHAR",
    "failReason": "VARCHAR",
    "buttons": "STRUCT(customId VARCHAR, emoji VARCHAR, label VARCHAR, type BIGINT, style BIGINT)[]",
    "properties": "STRUCT(finalPrompt VARCHAR, finalZhPrompt VARCHAR)",
}

_TASK: Final = r"""
    SELECT
        id,
        'mjproxy' AS provider,
        CASE status
            WHEN '' THEN 'pending' WHEN 'NOT_START' THEN 'pending' WHEN 'SUBMITTED' THEN 'pending'
            WHEN 'IN_PROGRESS' THEN 'processing' WHEN 'MODAL' THEN 'needs_input' WHEN 'SUCCESS' THEN 'completed'
            WHEN 'FAILURE' THEN 'failed' WHEN 'CANCEL' THEN 'cancelled' ELSE 'unknown'
        END AS status,
        status AS vendor_status,
        lower(action) AS action,
        TRY_CAST(rtrim(progress, '%') AS BIGINT) AS progress,
        nullif(prompt, '') AS prompt,
        nullif(promptEn, '') AS prompt_en,
        properties.finalPrompt AS final_prompt,
        nullif(description, '') AS description,
        nullif(failReason, '') AS fail_reason,
        nullif(state, '') AS state,
        CASE WHEN vendor_status = 'SUCCESS' THEN nullif(imageUrl, '') END AS image_url,
        CASE WHEN vendor_status <> 'SUCCESS'
            THEN regexp_replace(nullif(imageUrl, ''), '[?&]rand=\d+$', '')
        END AS preview_url,
        list_transform(buttons, lambda b: struct_pack(
            custom_id := b.customId, label := b.label, emoji := b.emoji, type := b.type, style := b.style
        )) AS buttons,
        epoch_ms(nullif(submitTime, 0)) AS submitted_at,
        epoch_ms(nullif(startTime, 0)) AS started_at,
        epoch_ms(nullif(finishTime, 0)) AS finished_at,
        nullif(customId, '') AS custom_id,
        CASE botType WHEN 'MID_JOURNEY' THEN 'midjourney' WHEN 'NIJI_JOURNEY' THEN 'niji' END AS bot
    FROM records
"""


def run(sample: Sample) -> Iterable[bytes]:
    """All records at once, on one thread."""
    written = sample.path.with_suffix(".duckdb")
    with duckdb.connect(config={"threads": 1}) as database:
        records = database.read_json(str(sample.path), columns=_COLUMNS, format="newline_delimited")
        database.register("records", records)
        database.execute(f"COPY ({_TASK}) TO '{written}' (FORMAT json)")
    with written.open("rb") as file:
        yield from file
