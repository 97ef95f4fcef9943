
#    If you set the Mac's proxy for Wi-Fi, switch it off:
#      networksetup -setwebproxystate Wi-Fi off
#      networksetup -setsecurewebproxystate Wi-Fi off
#    The simulator keeps trusting the certificate: simctl can add one and not remove it. --reset-keychain removes it with everything else in the simulator's keychain, such as saved passwords.
