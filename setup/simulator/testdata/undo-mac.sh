
# 1. Switch off the Mac's HTTP proxy of Wi-Fi.
networksetup -setwebproxystate Wi-Fi off
#    check: networksetup -getwebproxy Wi-Fi → Enabled: No

# 2. Switch off the Mac's HTTPS proxy of Wi-Fi.
networksetup -setsecurewebproxystate Wi-Fi off
#    check: networksetup -getsecurewebproxy Wi-Fi → Enabled: No

# 3. Reset the simulator's keychain.
#    All certificates and passwords that were added to it are gone with it.
xcrun simctl keychain 11111111-1111-1111-1111-111111111111 reset
