# Pixel 8 (R58M): Android 14, API level 34, phone, no root

#    The device's proxy is proxy\x1b:1. telltale did not set it and leaves it. To clear it:
#      adb -s R58M shell settings put global http_proxy :0
