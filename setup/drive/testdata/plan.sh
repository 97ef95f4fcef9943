
# 1. Set it.
#    So that
#    it is set.
adb shell 'echo '\''a b'\'' >c'
#    expected: done
#    undo: adb unset

# 2. See it.
adb see
#    check: adb look → it

#    Mind:
#      the gap
