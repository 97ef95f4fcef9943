
# 1. Reset the simulator's keychain.
#    All certificates and passwords that were added to it are gone with it.
xcrun simctl keychain 11111111-1111-1111-1111-111111111111 reset

#    The Mac's HTTP proxy of Wi-Fi is 127.0.0.1:9000 and stays: it is not the one on port 8080. If telltale set it:
#      telltale setup ios-simulator --port 9000 --udid 11111111-1111-1111-1111-111111111111 --undo --mac-proxy Wi-Fi
