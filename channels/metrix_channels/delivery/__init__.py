"""Makes attempts, and decides what each one means and what to do next. The decisions are pure functions."""

from __future__ import annotations

from .attempt import Attempt, AttemptObserver, Attempts, Request
from .backoff import backoff_seconds, retry_after
from .circuit_breaker import CircuitBreaker
from .deadline import GRACE_SECONDS, Deadlines, seconds_until, wait_at_most
from .holdback import Holdback
from .policy import MESSAGE_AT_FAULT_AFTER, Part, Policy, Result, Step, conclude, give_up, next_step
from .rate_limiter import ANY_TIME, Booking, Bookings, Limit, Place, ProcessLimit, RateLimiter
from .resumption import PastAttempt, Resumption, resume_recipients
from .single import Delivery, Journal, Post
from .verdict import Disposition, Verdict, judge

__all__ = [
    "ANY_TIME",
    "GRACE_SECONDS",
    "MESSAGE_AT_FAULT_AFTER",
    "Attempt",
    "AttemptObserver",
    "Attempts",
    "Booking",
    "Bookings",
    "CircuitBreaker",
    "Deadlines",
    "Delivery",
    "Disposition",
    "Holdback",
    "Journal",
    "Limit",
    "Part",
    "PastAttempt",
    "Place",
    "Policy",
    "Post",
    "ProcessLimit",
    "RateLimiter",
    "Request",
    "Result",
    "Resumption",
    "Step",
    "Verdict",
    "backoff_seconds",
    "conclude",
    "give_up",
    "judge",
    "next_step",
    "resume_recipients",
    "retry_after",
    "seconds_until",
    "wait_at_most",
]
