#!/usr/bin/env bash
# Makes the apps and bundles that telltale locate is tried on, of real pieces from the
# npm registry, in bin/artefacts:
#
#   locate/artefacts/make.sh             what the tests want
#   locate/artefacts/make.sh packages    more npm packages, for the catalogue of libraries
#   locate/artefacts/make.sh big         an APK of 100 MB, for the benchmark
#   locate/artefacts/make.sh android     an app of our own code and resources, and bundles for
#                                        Google's store (Debian with aapt and Java)
#
# README.md beside it says what there is. Needs Node.js 18 with npm, and Linux on
# x86-64, for which the compilers of Hermes are. What is up to date is not
# made again. What is downloaded is held to package-lock.json and downloads.txt.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$here/../.." && pwd)/bin/artefacts
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "error: the compilers of Hermes want Linux on x86-64" >&2; exit 2; }
for tool in node npm; do
  command -v "$tool" > /dev/null || { echo "error: $tool is missing: install Node.js 18 or later" >&2; exit 2; }
done
work=$out/.work
app=$work/app
mkdir -p "$app" "$work/tarballs" "$work/done"
cd "$here"
exec 9> "$work/lock" && flock 9 # one at a time
# A module of its own keeps Go code within packages out of ./...
printf 'module artefacts\n' > "$out/go.mod"

# step NAME FILE... runs the function NAME unless it did the same with these very files.
step() {
  local name=$1 state began=$SECONDS
  shift
  state=$({ declare -f "$name" compile unpack; cat "$@"; } | sha256sum)
  [ "$state" != "$(cat "$work/done/$name" 2>/dev/null)" ] || return 0
  printf '%s\n' "artefacts: $name"
  "$name"
  printf '%s\n' "$state" > "$work/done/$name"
  printf '%s\n' "artefacts: $name took $((SECONDS - began)) s"
}

# tarball NAME@VERSION prints where the package of that name was put.
tarball() {
  local file=${1%@*}-${1##*@}
  file=${file#@}
  printf '%s/%s.tgz' "$work/tarballs" "${file//\//-}"
}

# specs GROUP lists the packages of a group.
specs() { awk -v group="$1" '$2 == group { print $3 }' "$here/downloads.txt"; }

# rows GROUP prints where the rows of a group are kept for themselves: what is made of one
# group does not wait on another.
rows() {
  awk -v group="$1" '$2 == group' "$here/downloads.txt" > "$work/$1.txt"
  printf '%s\n' "$work/$1.txt"
}

# download GROUP fetches what is missing of it, and holds all to their sums.
download() {
  local spec missing=() sums=$work/sums
  for spec in $(specs "$1"); do
    [ -s "$(tarball "$spec")" ] || missing+=("$spec")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    (cd "$work" && npm pack --loglevel=error --pack-destination "$work/tarballs" "${missing[@]}" > /dev/null)
  fi
  while read -r sum group spec; do
    [ "$group" != "$1" ] || printf '%s  %s\n' "$sum" "$(tarball "$spec")"
  done < "$here/downloads.txt" > "$sums"
  sha256sum --check --quiet "$sums" || { clean "$1"; return 1; }
}

# extract SPEC PATH FILE writes one file of a package.
extract() {
  mkdir -p "$(dirname "$3")"
  tar -xzOf "$(tarball "$1")" "package/$2" > "$3"
}

# clean GROUP removes the tarballs of a group.
clean() { for spec in $(specs "$1"); do rm -f "$(tarball "$spec")"; done; }

# replace FOLDER... puts what was made anew where the last one was.
replace() {
  local folder
  for folder in "$@"; do
    rm -rf "${out:?}/$folder"
    mv "$work/new/$folder" "$out/$folder"
  done
}

modules() {
  cp "$here/package.json" "$here/package-lock.json" "$app"
  (cd "$app" && npm ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error > /dev/null)
  # 65 MB that nothing here looks at.
  (cd "$app/node_modules" && rm -rf react-native/{React,ReactAndroid,ReactCommon,template} \
    react-native/sdks/hermesc/{osx,win64}-bin jsc-android/dist/org/webkit/android-jsc)
}

bundles() {
  cp "$here"/app/*.js "$app"
  rm -rf "$work/new" "$app/.metro"
  node "$here/bundle.cjs" "$app" "$work/new"
  rm -rf "$app/.metro"
  replace rn rn-fixed rn-own
}

# hermesc prints the bytecode version of a compiler.
hermesc() { "$1" -version | sed -n 's/.*HBC bytecode version: *//p'; }

# compile COMPILER PACKAGE makes its bytecode of each input, and disassemblies of what is
# optimised.
compile() {
  local compiler=$1 version made
  chmod +x "$compiler"
  version=$(hermesc "$compiler")
  printf '%s\t%s\n' "$version" "$2" >> "$work/new/hermes/versions.tsv"
  # What was compiled is named in what comes out, so that names are relative.
  (cd "$out/rn" && "$compiler" -w -emit-binary -O -out "$work/new/hermes/v$version.hbc" main.jsbundle)
  (cd "$out/rn" && "$compiler" -w -emit-binary -O0 -out "$work/new/hermes/v$version-O0.hbc" main.jsbundle)
  (cd "$here" && "$compiler" -w -emit-binary -O -out "$work/new/hermes/strings-v$version.hbc" strings.js)
  for made in "v$version" "strings-v$version"; do
    "$compiler" -b -dump-bytecode "$work/new/hermes/$made.hbc" > "$work/new/hermes/$made.txt"
  done
}

hermes() {
  local spec abi bin=$work/hermesc
  download hermes
  rm -rf "$work/new" "$bin"
  mkdir -p "$work/new/hermes" "$bin"
  for spec in $(specs hermes); do
    case $spec in
      hermes-engine@0.2.*) extract "$spec" linux64-bin/hermes "$bin/$spec" ;;
      hermes-engine@*) extract "$spec" linux64-bin/hermesc "$bin/$spec" ;;
      *) extract "$spec" hermesc/linux64-bin/hermesc "$bin/$spec" ;;
    esac
    compile "$bin/$spec" "$spec"
  done
  cp "$app/node_modules/react-native/sdks/hermesc/linux64-bin/hermesc" "$bin/react-native"
  compile "$bin/react-native" "$(cd "$app" && node -p '"react-native@" + require("react-native/package.json").version')"
  # As React Native's own build does: from the bundle with its names, with a map.
  (cd "$out/rn" && "$bin/react-native" -w -emit-binary -O -output-source-map -out "$work/new/hermes/plain.hbc" main.hermes.js)
  "$bin/react-native" -b -dump-bytecode "$work/new/hermes/plain.hbc" > "$work/new/hermes/plain.txt"
  replace hermes
  # Native code for phones and Macs, from the same package.
  extract hermes-engine@0.11.0 osx-bin/hermesc "$out/macho/hermesc-universal"
  extract hermes-engine@0.11.0 android/hermes-release.aar "$out/elf/hermes-release.aar"
  for abi in arm64-v8a armeabi-v7a x86 x86_64; do
    node "$here/zip.cjs" extract "$out/elf/hermes-release.aar" "jni/$abi/libhermes.so" "$out/elf/libhermes-$abi.so"
  done
  rm -rf "$bin"
  clean hermes
}

apps() {
  download apps
  rm -rf "$out/ipa"
  extract io.appium.settings@8.0.10 apks/settings_apk-debug.apk "$out/apk/settings.apk"
  extract appium-uiautomator2-server@10.6.6 apks/appium-uiautomator2-server-v10.6.6.apk "$out/apk/uiautomator2-server.apk"
  extract android-apidemos@5.0.0 apks/ApiDemos-debug.apk "$out/apk/api-demos.apk"
  extract sample-apps@2.0.4 pre-built/selendroid-test-app.apk "$out/apk/selendroid-test-app.apk"
  extract sample-apps@2.0.4 pre-built/ContactManager.apk "$out/apk/contact-manager.apk"
  extract @esbuild/darwin-arm64@0.28.2 bin/esbuild "$out/macho/esbuild-arm64"
  extract fsevents@2.3.3 fsevents.node "$out/macho/fsevents-universal"
  node "$here/apps.cjs" "$out"
  clean apps
}

# source_tree is the app as its developers have it.
source_tree() {
  local library=node_modules/@react-native-community/netinfo
  rm -rf "$out/source"
  cp -R "$here/source" "$out/source"
  cp "$here"/app/App.js "$here"/app/index*.js "$here"/app/settings*.js "$here"/app/babel.config.js "$out/source"
  cp "$here/package-lock.json" "$out/source"
  mkdir -p "$out/source/$(dirname "$library")"
  cp -R "$app/$library" "$out/source/$library"
}

# unpack GROUP puts the packages of a group into packages/NAME@VERSION.
unpack() {
  local spec
  download "$1"
  for spec in $(specs "$1"); do
    rm -rf "$out/packages/$spec"
    mkdir -p "$out/packages/$spec"
    tar -xzf "$(tarball "$spec")" -C "$out/packages/$spec" --strip-components 1
  done
  clean "$1"
}

packages() { unpack packages; }
more_packages() { unpack more; }

expected() {
  node "$here/expect.cjs" "$app" "$out" > "$work/expected.json"
  mv "$work/expected.json" "$out/expected.json"
}

big() {
  node "$here/big.cjs" "$app" "$out"
}

# debian PACKAGE unpacks a package of Debian, without installing it.
debian() {
  (cd "$work" && apt-get download -qq "$1" && dpkg -x "$1"_*.deb debian && rm -f "$1"_*.deb)
}

# android makes an app of our own resources and code, and bundles for Google's store.
android() {
  local build=$work/android jars=/usr/share/java jar path package
  rm -rf "$build" "$work/debian"
  mkdir -p "$build"
  for package in android-framework-res libsmali-java libantlr3-runtime-java libguava-java libjcommander-java; do
    debian "$package"
  done
  cp "$work/debian/usr/share/android-framework-res/framework-res.apk" "$out/apk"
  for jar in smali smali-util dexlib2 antlr3-runtime guava jcommander; do
    path=${path:-}:$work/debian$jars/$jar.jar
  done
  aapt2 compile --dir android/res -o "$build/res.zip"
  aapt2 link -I "$out/apk/framework-res.apk" --manifest android/AndroidManifest.xml -o "$build/linked.apk" "$build/res.zip"
  java -cp "${path#:}" org.jf.smali.Main assemble --api 29 -o "$build/classes.dex" android/smali
  node "$here/android.cjs" apk "$build/linked.apk" "$build/classes.dex" "$out/apk/own.apk"
  for app in own rn; do
    aapt2 convert --output-format proto -o "$build/proto.apk" "$out/apk/$app.apk"
    node "$here/android.cjs" aab "$build/proto.apk" "$out/apk/$app.aab"
  done
  rm -rf "$build" "$work/debian"
}

step modules package.json package-lock.json
step bundles package-lock.json bundle.cjs app/*
step hermes package-lock.json bundle.cjs app/* "$(rows hermes)" strings.js zip.cjs
step apps package-lock.json bundle.cjs app/* "$(rows hermes)" "$(rows apps)" strings.js zip.cjs apps.cjs macho.cjs plist.cjs
step source_tree package-lock.json app/* $(find source -type f | sort)
step packages "$(rows packages)"
step expected package-lock.json bundle.cjs app/* "$(rows hermes)" strings.js expect.cjs

case ${1:-} in
  '') ;;
  packages) step more_packages "$(rows more)" ;;
  big) step big "$(rows apps)" app/* apps.cjs zip.cjs big.cjs ;;
  android) step android "$(rows apps)" app/* apps.cjs zip.cjs android.cjs $(find android -type f | sort) ;;
  *) printf '%s\n' "usage: $0 [packages|big|android]" >&2; exit 2 ;;
esac
