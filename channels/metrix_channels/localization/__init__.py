"""What languages and calendars write differently: locales, and dates of the Solar Hijri calendar."""
