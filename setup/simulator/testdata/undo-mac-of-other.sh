
# 1. Switch off the Mac's HTTP proxy of Wi-Fi.
networksetup -setwebproxystate Wi-Fi off
#    check: networksetup -getwebproxy Wi-Fi → Enabled: No

#    The simulator keeps trusting the certificate: simctl can add one and not remove it. --reset-keychain removes it with everything else in the simulator's keychain, such as saved passwords.
