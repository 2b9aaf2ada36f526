"""Locales, and dates of the Solar Hijri (Jalali) calendar."""
