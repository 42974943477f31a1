"""A tool whose calls need approval, and finish even when the user interrupts.

python examples/approval.py
"""

from agentaudio import Agent, Tool, tool
from agentaudio.conversation import ToolCall
from agentaudio.model.scripted import Scripted


@tool(approval=True, cancellable=False, filler="One moment, I am booking.")
async def book_table(people: int, time: str) -> str:
    """Book a table in the restaurant.

    Args:
        people: number of guests
        time: in 24-hour form, such as 19:30
    """
    return f"A table for {people} is booked at {time}."


def approve(tool: Tool, call: ToolCall) -> bool:
    """Approve parties of up to 8. An approval function may also be async, and may ask a person."""
    return int(call.arguments["people"]) <= 8


if __name__ == "__main__":
    wanted = [{"name": "book_table", "arguments": {"people": people, "time": "19:30"}} for people in (4, 40)]
    agent = Agent(
        Scripted([{"calls": wanted}, "Four are booked, forty are too many."]), tools=[book_table], approve=approve
    )
    for run in agent.run_sync("book two tables").tool_calls:
        print(f"{run.status}: {run.result.text}")
