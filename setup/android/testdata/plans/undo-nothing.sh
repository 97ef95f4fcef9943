# Pixel 8 (R58M): Android 14, API level 34, phone, no root
