
# 1. Reset the simulator's keychain.
#    All certificates and passwords that were added to it are gone with it.
xcrun simctl keychain 11111111-1111-1111-1111-111111111111 reset

#    If you set the Mac's proxy for Wi-Fi, switch it off:
#      networksetup -setwebproxystate Wi-Fi off
#      networksetup -setsecurewebproxystate Wi-Fi off
