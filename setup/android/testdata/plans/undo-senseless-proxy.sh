# Pixel 8 (R58M): Android 14, API level 34, phone, no root

# 1. Clear the device's proxy.
adb -s R58M shell settings put global http_proxy :0
#    check: adb -s R58M shell settings get global http_proxy → :0

# 2. Delete global_http_proxy_host.
adb -s R58M shell settings delete global global_http_proxy_host

# 3. Delete global_http_proxy_port.
adb -s R58M shell settings delete global global_http_proxy_port

# 4. Delete global_http_proxy_exclusion_list.
adb -s R58M shell settings delete global global_http_proxy_exclusion_list

# 5. Remove what was pushed to the device.
adb -s R58M shell rm -rf /data/local/tmp/telltale

#    The proxy that was set before is no HOST:PORT and was not set again: x:1; reboot\x1b
