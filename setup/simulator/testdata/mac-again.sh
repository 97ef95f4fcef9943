
# 1. Trust the certificate in the simulator.
#    simctl can add a root certificate and not remove one: undoing resets the simulator's whole keychain.
xcrun simctl keychain 11111111-1111-1111-1111-111111111111 add-root-cert telltale-ca.pem
#    undo: xcrun simctl keychain 11111111-1111-1111-1111-111111111111 reset

# 2. Set the Mac's HTTP proxy of Wi-Fi to 127.0.0.1:8080.
networksetup -setwebproxy Wi-Fi 127.0.0.1 8080
#    check: networksetup -getwebproxy Wi-Fi → Enabled: Yes
#    undo: networksetup -setwebproxystate Wi-Fi off

# 3. Set the Mac's HTTPS proxy of Wi-Fi to 127.0.0.1:8080.
networksetup -setsecurewebproxy Wi-Fi 127.0.0.1 8080
#    check: networksetup -getsecurewebproxy Wi-Fi → Enabled: Yes
#    undo: networksetup -setsecurewebproxystate Wi-Fi off

#    Everything on this Mac that follows its proxy settings goes through telltale now. When the audit is over:
#      telltale setup ios-simulator --port 8080 --udid 11111111-1111-1111-1111-111111111111 --undo --mac-proxy Wi-Fi
#    Close the app that you audit and open it again: it reads both at its start.
#    To take the certificate back, with everything else in the simulator's keychain:
#      telltale setup ios-simulator --port 8080 --udid 11111111-1111-1111-1111-111111111111 --undo --reset-keychain --mac-proxy Wi-Fi
