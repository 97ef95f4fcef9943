
# 1. Trust the certificate in the simulator.
#    simctl can add a root certificate and not remove one: undoing resets the simulator's whole keychain.
xcrun simctl keychain 11111111-1111-1111-1111-111111111111 add-root-cert telltale-ca.pem
#    undo: xcrun simctl keychain 11111111-1111-1111-1111-111111111111 reset

#    A simulator uses the Mac's proxy. To set it for Wi-Fi:
#      networksetup -setwebproxy Wi-Fi 127.0.0.1 8080
#      networksetup -setsecurewebproxy Wi-Fi 127.0.0.1 8080
#    and when the audit is over:
#      networksetup -setwebproxystate Wi-Fi off
#      networksetup -setsecurewebproxystate Wi-Fi off
#    or have it done:
#      telltale setup ios-simulator --port 8080 --udid 11111111-1111-1111-1111-111111111111 --mac-proxy Wi-Fi
#    Close the app that you audit and open it again: it reads both at its start.
#    To take the certificate back, with everything else in the simulator's keychain:
#      telltale setup ios-simulator --port 8080 --udid 11111111-1111-1111-1111-111111111111 --undo --reset-keychain
