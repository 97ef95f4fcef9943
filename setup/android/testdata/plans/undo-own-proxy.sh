# Pixel 8 (R58M): Android 14, API level 34, phone, no root

# 1. Set the device's proxy to what it was: 10.0.0.1:3128.
adb -s R58M shell settings put global http_proxy 10.0.0.1:3128
#    check: adb -s R58M shell settings get global http_proxy → 10.0.0.1:3128

# 2. Remove what was pushed to the device.
adb -s R58M shell rm -rf /data/local/tmp/telltale
