"""Every page is told the last state of each topic."""

import asyncio

from handgrad.studio.events import Events


def told(*published, late=()):
    """What a page hears: of what is published before it comes, and, once it has heard that, after it."""

    async def run():
        events, heard = Events(), []
        for topic, state in published:
            events.publish(topic, state)

        async def listen():
            async for text in events.stream():
                heard.append(text)

        page = asyncio.create_task(listen())
        await asyncio.sleep(0.01)
        for topic, state in late:
            events.publish(topic, state)
        await asyncio.sleep(0.01)
        events.close()
        await asyncio.wait_for(page, 1)
        return heard[1:]

    return asyncio.run(run())


def test_a_page_that_comes_later_is_told_the_last_state_of_each_topic():
    assert told(("a", 1), ("b", 2), ("a", 3)) == ["event: a\ndata: 3\n\n", "event: b\ndata: 2\n\n"]


def test_a_slow_page_misses_what_lies_between_and_not_the_last():
    assert told(("a", 0), late=[("a", 1), ("a", 2), ("a", "\n")]) == [
        "event: a\ndata: 0\n\n",
        'event: a\ndata: "\\n"\n\n',
    ]
