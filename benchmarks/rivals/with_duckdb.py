"""The mapping in DuckDB: SQL from a file of JSON lines to a file of JSON lines."""

from collections.abc import Iterable
from typing import Final

import duckdb

from benchmarks.rivals import Run, Sample

_WORDS: Final = r"""
    CREATE TEMP MACRO filled(told) AS nullif(told, '');

    -- The most frequent word first: each is looked for where none before it was found.
    CREATE TEMP MACRO status_of(word) AS CASE word
        WHEN 'SUCCESS' THEN 'completed' WHEN 'IN_PROGRESS' THEN 'processing' WHEN 'FAILURE' THEN 'failed'
        WHEN 'SUBMITTED' THEN 'pending' WHEN 'NOT_START' THEN 'pending' WHEN '' THEN 'pending'
        WHEN 'MODAL' THEN 'needs_input' WHEN 'CANCEL' THEN 'cancelled' ELSE 'unknown'
    END;
    CREATE TEMP MACRO action_of(word) AS CASE word
        WHEN 'edits' THEN 'edit' WHEN 'bleand' THEN 'blend' WHEN 'reset' THEN 'reroll' ELSE word
    END;
    CREATE TEMP MACRO bot_of(word) AS CASE word
        WHEN 'mid_journey' THEN 'midjourney' WHEN 'niji_journey' THEN 'niji' WHEN 'mj' THEN 'midjourney' ELSE word
    END;
    CREATE TEMP MACRO speed_of(word) AS CASE word WHEN 'relaxed' THEN 'relax' ELSE word END;
"""

_NUMBERS: Final = r"""
    -- A number up to 1 with a point, and no sign behind it, is a fraction.
    CREATE TEMP MACRO percent(told) AS CASE
        WHEN regexp_full_match(told, '\d{1,2}%|100%') THEN replace(told, '%', '')::INTEGER
        WHEN regexp_full_match(told, '0+\.\d{1,18}|0*1\.0{1,18}') THEN trunc(round(100 * told::DOUBLE, 6))::INTEGER
        WHEN regexp_full_match(told, '[+-]?\d{1,18}(\.\d{1,18})?%?')
            THEN trunc(greatest(0, least(100, replace(told, '%', '')::DOUBLE)))::INTEGER
    END;

    -- Seconds, milliseconds or microseconds, by size. As text: a TIMESTAMP is written without its zone.
    CREATE TEMP MACRO counted(count) AS make_timestamp((CASE
        WHEN count <= 0 THEN NULL
        WHEN count < 1e11 THEN count * 1e6
        WHEN count < 1e12 THEN NULL
        WHEN count < 1e14 THEN count * 1e3
        WHEN count < 1e15 THEN NULL
        WHEN count < 1e17 THEN count
    END)::BIGINT)::VARCHAR || 'Z';
    CREATE TEMP MACRO zoned(told) AS CASE WHEN regexp_matches(told, ':.*(Z|[+-]\d\d)') THEN told ELSE told || 'Z' END;
    CREATE TEMP MACRO dated(told) AS CASE
        WHEN told LIKE '____-__-__%' THEN make_timestamp(epoch_us(try_cast(zoned(told) AS TIMESTAMPTZ)))::VARCHAR || 'Z'
    END;
    CREATE TEMP MACRO moment(told) AS coalesce(counted(try_cast(told AS DOUBLE)), dated(told));
"""

_BUTTON: Final = '{"customId": "VARCHAR", "label": "VARCHAR", "emoji": "VARCHAR", "type": "BIGINT", "style": "BIGINT"}'

_LISTS: Final = r"""
    -- A list of buttons, or of rows of them; JSON is read without its white space.
    CREATE TEMP MACRO read_buttons(told) AS
        CASE WHEN told LIKE '[[%' THEN flatten(from_json(told, '[[BUTTON]]')) ELSE from_json(told, '[BUTTON]') END;
    CREATE TEMP MACRO pressable(buttons) AS list_transform(
        list_filter(buttons, lambda button: button.customId <> ''),
        lambda button: struct_pack(
            custom_id := button.customId,
            label := coalesce(button.label, ''),
            emoji := coalesce(button.emoji, ''),
            type := button.type,
            style := button.style
        )
    );

    -- Texts, or objects that hold theirs.
    CREATE TEMP MACRO addresses(entries) AS list_filter(
        list_transform(
            entries, lambda entry: CASE json_type(entry) WHEN 'OBJECT' THEN entry->>'url' ELSE entry->>'$' END
        ),
        lambda url: url <> ''
    );
    CREATE TEMP MACRO listed(found) AS coalesce(found, []);
    CREATE TEMP MACRO once(urls) AS nullif(list_filter(urls, lambda url, place: list_position(urls, url) = place), []);
    CREATE TEMP MACRO clips(urls) AS nullif(
        list_filter(urls, lambda url: regexp_matches(url, '(?i)^[^?]*\.(mp4|webm|mov)(\?|$)')), []
    );
    CREATE TEMP MACRO alone(url) AS CASE WHEN url IS NOT NULL THEN [url] END;
    CREATE TEMP MACRO among(urls, url) AS coalesce(list_contains(urls, url), false);

    -- Numbered by keycap emoji, else a line each.
    CREATE TEMP MACRO parts(answer) AS CASE
        WHEN regexp_matches(answer, '[1-9]\x{FE0F}?\x{20E3}')
            THEN string_split_regex(answer, '[1-9]\x{FE0F}?\x{20E3}')[2:]
        ELSE string_split_regex(answer, '[\r\n]+')
    END;
    CREATE TEMP MACRO suggestions(answer) AS list_filter(
        list_transform(parts(string_split(answer, '## Shortened prompts')[-1]), lambda part: trim(part, e' \t\r\n')),
        lambda part: part <> ''
    );
""".replace("BUTTON", _BUTTON)

_TASKS: Final = r"""
    CREATE TEMP MACRO tasks(path) AS TABLE
    WITH records AS (
        SELECT *, properties->>['finalPrompt', 'botType', 'custom_id'] AS noted
        FROM read_json(path, format = 'newline_delimited', columns = {
            id: 'VARCHAR',
            action: 'VARCHAR',
            customId: 'VARCHAR',
            botType: 'VARCHAR',
            prompt: 'VARCHAR',
            promptEn: 'VARCHAR',
            description: 'VARCHAR',
            state: 'VARCHAR',
            submitTime: 'VARCHAR',
            startTime: 'VARCHAR',
            finishTime: 'VARCHAR',
            imageUrl: 'VARCHAR',
            status: 'VARCHAR',
            progress: 'VARCHAR',
            failReason: 'VARCHAR',
            buttons: 'JSON',
            properties: 'JSON',
            imageUrls: 'JSON[]',
            image_urls: 'JSON[]',
            videoUrl: 'VARCHAR',
            videoUrls: 'JSON[]',
            parentId: 'VARCHAR',
            mode: 'VARCHAR',
            seed: 'VARCHAR'
        })
    ),
    told AS (
        SELECT
            id,
            coalesce(status, '') AS vendor_status,
            status_of(upper(vendor_status)) AS status,
            action_of(lower(action)) AS action,
            percent(progress) AS progress,
            filled(prompt) AS prompt,
            filled(promptEn) AS prompt_en,
            filled(noted[1]) AS final_prompt,
            filled(description) AS description,
            filled(failReason) AS fail_reason,
            filled(state) AS state,
            filled(imageUrl) AS picture,
            addresses(imageUrls) AS singles,
            addresses(image_urls) AS stored,
            filled(videoUrl) AS video,
            addresses(videoUrls) AS videos,
            pressable(read_buttons(buttons)) AS buttons,
            moment(submitTime) AS submitted_at,
            moment(startTime) AS started_at,
            moment(finishTime) AS finished_at,
            filled(parentId) AS parent_id,
            coalesce(filled(customId), filled(noted[3])) AS custom_id,
            bot_of(lower(coalesce(filled(botType), filled(noted[2])))) AS bot,
            speed_of(lower(filled(mode))) AS speed,
            filled(seed) AS seed,
            CASE WHEN properties IS NOT NULL
                THEN json_merge_patch(properties, '{"finalPrompt": null}')  -- takes it out
            END AS properties
        FROM records
    ),
    sorted AS (
        SELECT
            * REPLACE (
                coalesce(
                    once(videos),
                    CASE WHEN action IN ('video', 'video_extend') THEN clips(coalesce(once(singles), once(stored))) END,
                    alone(video),
                    CASE WHEN action IN ('video', 'video_extend') THEN clips(alone(picture)) END,
                    CASE action WHEN 'swap_video_face' THEN alone(picture) END
                ) AS videos,
                coalesce(once(singles), once(stored)) AS singles
            ),
            status = 'completed' AS completed,
            coalesce(action IN ('describe', 'shorten'), false) AS in_words
        FROM told
    ),
    shown AS (
        SELECT * REPLACE (
            CASE WHEN picture = video OR among(videos, picture) THEN NULL ELSE picture END AS picture,
            -- One alone that is stored is the picture itself, in another place.
            CASE WHEN len(singles) > 1 OR coalesce(len(stored), 0) = 0 OR picture IS NULL
                THEN list_filter(singles, lambda url: NOT among(videos, url))
            END AS singles
        )
        FROM sorted
    ),
    answered AS (
        SELECT
            * REPLACE (coalesce(picture, CASE len(singles) WHEN 1 THEN singles[1] END) AS picture),
            CASE
                WHEN NOT completed THEN NULL
                WHEN action = 'shorten'
                    THEN coalesce(final_prompt, CASE WHEN prompt_en IS DISTINCT FROM prompt THEN prompt_en END)
                WHEN action = 'describe'
                    THEN coalesce(CASE final_prompt WHEN prompt THEN prompt END, prompt_en, final_prompt, prompt)
            END AS answer
        FROM shown
    )
    SELECT
        1 AS schema_version,
        id,
        'mjproxy' AS provider,
        status,
        vendor_status,
        coalesce(action, '') AS action,
        progress,
        nullif(prompt, answer) AS prompt,
        nullif(prompt_en, answer) AS prompt_en,
        final_prompt,
        description,
        fail_reason,
        state,
        CASE WHEN completed AND NOT in_words THEN picture END AS image_url,
        listed(
            CASE WHEN completed AND NOT in_words
                THEN list_filter(singles, lambda url: url IS DISTINCT FROM picture)
            END
        ) AS image_urls,
        CASE WHEN NOT completed AND NOT in_words
            THEN regexp_replace(picture, '[?&]rand=\d+$', '')
        END AS preview_url,
        listed(videos) AS video_urls,
        listed(suggestions(answer)) AS texts,
        listed(buttons) AS buttons,
        submitted_at,
        started_at,
        finished_at,
        parent_id,
        custom_id,
        bot,
        speed,
        seed,
        coalesce(properties, '{}') AS properties
    FROM answered
"""


def run() -> Run:
    """All records at once, on one thread."""
    database = duckdb.connect(config={"threads": 1})
    database.execute(_WORDS + _NUMBERS + _LISTS + _TASKS)

    def normalize(sample: Sample) -> Iterable[bytes]:
        written = sample.path.with_suffix(".duckdb")
        database.execute(f"COPY (FROM tasks('{sample.path}')) TO '{written}' (FORMAT json)")
        yield written.read_bytes()

    return normalize
