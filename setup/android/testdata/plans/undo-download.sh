# Pixel 8 (R58M): Android 14, API level 34, phone, no root

# 1. Remove the certificate's file from Download.
adb -s R58M shell rm -f /sdcard/Download/telltale-ca.cer

# 2. Open the list of trusted certificates on the device.
adb -s R58M shell am start -a com.android.settings.TRUSTED_CREDENTIALS_USER

#    If you installed the certificate on the device, remove it there: User › Telltale › Remove. Only a person can; `telltale ca show` prints its name.
