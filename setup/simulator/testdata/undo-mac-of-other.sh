
# 1. Switch off the Mac's HTTP proxy of Wi-Fi.
networksetup -setwebproxystate Wi-Fi off
#    check: networksetup -getwebproxy Wi-Fi → Enabled: No

#    The Mac's HTTPS proxy of Wi-Fi is proxy\x1b.example:3128 and stays: it is not the one on port 8080. To switch it off:
#      networksetup -setsecurewebproxystate Wi-Fi off
#    The simulator keeps trusting the certificate: simctl can add one and not remove it. --reset-keychain removes it with everything else in the simulator's keychain, such as saved passwords.
