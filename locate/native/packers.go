package native

import (
	"bytes"
	"fmt"
	"strings"
)

// packers are the libraries of products that encrypt an app's bytecode or native code until it
// runs, by the beginning of their file's name. The names are those that the rules of APKiD
// (github.com/rednaga/APKiD) go by.
var packers = []struct{ prefix, name string }{
	{"libjiagu", "360 Jiagu"},
	{"libsecexe", "Bangcle"},
	{"libsecmain", "Bangcle"},
	{"libdexhelper", "SecNeo (Bangcle)"},
	{"libshell-super", "Tencent Legu"},
	{"libshella-", "Tencent Legu"},
	{"libshellx-", "Tencent Legu"},
	{"libbaiduprotect", "Baidu"},
	{"libexecmain", "Ijiami"},
	{"libnesec", "NetEase"},
	{"libmobisec", "Alibaba"},
	{"libchaosvmp", "Naga"},
	{"libddog", "Naga"},
	{"libcovault-appsec", "AppSealing"},
	{"libdexprotector", "DexProtector"},
	{"libpairipcore", "Google Play's automatic integrity protection"},
}

// upxMagic is where UPX says what it is: `l_info` in its stub, near the start and the end.
var upxMagic = []byte("UPX!")

// packed says by what a file was packed, or what it packs; "" if by nothing known.
func packed(base string, data []byte) string {
	base = strings.ToLower(base)
	for _, p := range packers {
		if strings.HasPrefix(base, p.prefix) {
			return fmt.Sprintf("it belongs to the protection %q, which encrypts code until it runs: the app may contact hosts that no search of its files can show", p.name)
		}
	}
	if bytes.Contains(data[:min(len(data), 4096)], upxMagic) {
		return "it is packed by UPX: its own strings are compressed and not seen"
	}
	return ""
}
