# Pixel 8 (R58M): Android 14, API level 34, phone, root by su

# 1. Clear the device's proxy.
adb -s R58M shell settings put global http_proxy :0
#    check: adb -s R58M shell settings get global http_proxy → :0

# 2. Delete global_http_proxy_host.
adb -s R58M shell settings delete global global_http_proxy_host

# 3. Delete global_http_proxy_port.
adb -s R58M shell settings delete global global_http_proxy_port

# 4. Delete global_http_proxy_exclusion_list.
adb -s R58M shell settings delete global global_http_proxy_exclusion_list

# 5. End the way from port 8080 of the device to here.
adb -s R58M reverse --remove tcp:8080

# 6. Stop trusting the certificate, in every process.
adb -s R58M shell 'su -c '\''sh /data/local/tmp/telltale/trust.sh remove'\'''
#    expected: telltale: removed

# 7. Remove what was pushed to the device.
adb -s R58M shell rm -rf /data/local/tmp/telltale
