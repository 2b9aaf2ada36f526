"""Audiences for the benchmark, the three jobs to do with them, and what must arrive in the end.

    python benchmarks/data.py ROWS FILE.csv

writes one: `customUserId,first_name,code`, always the same for the same number of rows. One row in a thousand repeats
an earlier recipient, so that whoever removes repetitions has some to find.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from itertools import accumulate, product
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

NAMES: Final = 20_000
_REPEATED: Final = 1_000
_MODULUS: Final = 10**9 + 7
_CHUNK: Final = 10_000
# The most common come first; the rare ones are pairs of them.
_FIRST: Final = (
    "محمد علی فاطمه زهرا حسین مهدی مریم رضا حسن زینب معصومه امیر احمد سارا لیلا سکینه ابوالفضل عباس نرگس سمیه "
    "الهه محسن سعید مجید حمید مرتضی مصطفی ابراهیم اسماعیل یوسف طاهره صدیقه کبری رقیه خدیجه اعظم اکرم نسرین پروین "
    "شهناز مهناز فرزانه فریبا نازنین پریسا پریا نیلوفر شیرین شیوا شقایق یاسمن بهار بهاره سپیده ستاره مهسا مینا مینو "
    "ندا نگار نگین هانیه هدیه هستی یلدا آرش آرمان آرمین آریا اشکان بابک بهرام بهروز بهزاد بهنام پارسا پدرام پویا پیمان "
    "جواد حامد خسرو داریوش رامین روزبه سامان سروش سهراب سیاوش سینا شاهین شهرام صادق عرفان فرهاد فرشاد فرید کامران "
    "کاوه کوروش کیان ماهان مازیار مانی مسعود مهران مهرداد میثم میلاد نادر نوید نیما هادی هومن وحید یاسر آتنا آرزو "
    "آیدا آناهیتا افسانه المیرا الناز باران ترانه ثریا حدیث حنانه درسا راضیه رها رویا ریحانه زیبا ژاله سحر سمانه سمیرا "
    "سوگند شادی"
)


class Job(NamedTuple):
    """What is to be sent.

    Attributes:
        template: of the message, in Jinja.
        column: the one that the template uses; None: it uses none.
    """

    template: str
    column: str | None


JOBS: Final = {
    "shared": Job("سلام، تخفیف نوروزی ۳۰ درصد آغاز شد", None),
    "name only": Job("سلام {{ first_name }}، تخفیف نوروزی ۳۰ درصد آغاز شد", "first_name"),
    "all different": Job("سلام، کد تخفیف شما {{ code }} است", "code"),
}


class Expected(NamedTuple):
    """What must arrive of an audience.

    Attributes:
        rows: of the audience, repetitions included.
        distinct: recipients without repetitions.
        checksum_of_rows: `checksum` over every row's recipient.
        checksum_of_distinct: the same with each recipient once.
        bytes_of_ids: of the distinct recipients.
    """

    rows: int
    distinct: int
    checksum_of_rows: int
    checksum_of_distinct: int
    bytes_of_ids: int


def checksum(recipients: Iterator[bytes] | list[bytes]) -> int:
    """Return a sum that does not depend on the order; 0 for none."""
    return sum(map(crc32, recipients))


def names() -> list[str]:
    """Return 20,000 first names, the common ones first."""
    first = _FIRST.split()
    pairs = [f"{one} {other}" for one, other in product(first, first) if one != other]
    return [*first, *pairs, *(f"سید {pair}" for pair in pairs)][:NAMES]


def write_audience(path: Path, count: int) -> Expected:
    """Write an audience of `count` rows; names are spread as Zipf's law has it: the second is half as common."""
    chance = random.Random(7)
    known, weights = names(), list(accumulate(1 / rank for rank in range(1, NAMES + 1)))
    distinct = every = once = of_ids = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("customUserId,first_name,code\n")
        for start in range(0, count, _CHUNK):
            chosen = chance.choices(known, cum_weights=weights, k=min(_CHUNK, count - start))
            rows = [(_recipient(_original(start + at)), name, start + at) for at, name in enumerate(chosen)]
            file.writelines(f"{recipient},{name},{10**7 + row}\n" for recipient, name, row in rows)
            new = [recipient.encode() for recipient, _, row in rows if _original(row) == row]
            every += checksum([recipient.encode() for recipient, _, _ in rows])
            once += checksum(new)
            distinct += len(new)
            of_ids += sum(map(len, new))
    return Expected(count, distinct, every, once, of_ids)


def bytes_of_values(path: Path, column: str | None) -> int:
    """Return the bytes of a column's different values: what the ledger cannot do without."""
    if column is None:
        return 0
    with path.open(encoding="utf-8") as file:
        at = next(file).rstrip("\n").split(",").index(column)
        return sum(len(value.encode()) for value in {line.rstrip("\n").split(",")[at] for line in file})


def _original(row: int) -> int:
    return row // 2 // _REPEATED * _REPEATED if row % _REPEATED == _REPEATED - 1 else row


def _recipient(row: int) -> str:
    return f"user-{row * 7_919 % _MODULUS}"


if __name__ == "__main__":
    print(write_audience(Path(sys.argv[2]), int(sys.argv[1])))
