#!/usr/bin/env bash
# Brings the rivals that `make bench` measures beside ours into target/rivals, from package registries, each in the version
# named here. One that cannot be had is said so and left out; BENCH_SKIP names those to leave out, or `all`.
set -u
cd "$(dirname "$0")/.."
folder=${CARGO_TARGET_DIR:-target}/rivals
mkdir -p "$folder"

skipped() { case ",${BENCH_SKIP:-}," in *,all,* | *",$1,"*) return 0 ;; esac; return 1; }

# Downloads and unpacks an npm package without running its scripts: package version folder.
npm_package() {
  command -v npm >/dev/null || { echo "there is no npm here" >&2; return 1; }
  mkdir -p "$3" || return
  local archive
  archive=$(cd "$3" && npm pack --silent --ignore-scripts "$1@$2") || return
  tar -xzf "$3/$archive" -C "$3" --strip-components=1 && rm "$3/$archive"
}

sqlite_sync() {
  local version=1.1.4
  [ -e "$folder/sqlite-sync-$version/cloudsync.so" ] ||
    npm_package @sqliteai/sqlite-sync-linux-x86_64 "$version" "$folder/sqlite-sync-$version" || return
  cp "$folder/sqlite-sync-$version/cloudsync.so" "$folder/cloudsync.so"
}

case "$(uname -sm)" in
  "Linux x86_64") ;;
  *) echo "rivals are measured on Linux x86_64 only" >&2; exit 0 ;;
esac
skipped sqlite-sync || sqlite_sync || echo "sqlite-sync could not be installed" >&2
