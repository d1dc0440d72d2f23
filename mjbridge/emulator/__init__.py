"""A vendor without a network: a simulated Midjourney behind a provider's own server half."""

from mjbridge.emulator.faults import BannedPrompt, FailTask, Fault, HttpFault, QueueFull, SlowReply
from mjbridge.emulator.simulator import Simulator
from mjbridge.emulator.transport import Emulator, EmulatorTransport, open_emulator
from mjbridge.emulator.wsgi import application

__all__ = [
    "BannedPrompt",
    "Emulator",
    "EmulatorTransport",
    "FailTask",
    "Fault",
    "HttpFault",
    "QueueFull",
    "Simulator",
    "SlowReply",
    "application",
    "open_emulator",
]
