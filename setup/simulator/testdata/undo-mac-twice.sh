
# 1. Reset the simulator's keychain.
#    All certificates and passwords that were added to it are gone with it.
xcrun simctl keychain 11111111-1111-1111-1111-111111111111 reset
