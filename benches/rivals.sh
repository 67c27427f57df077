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

# Its package holds the sources. They were written for a nightly compiler of 2023: a stable one takes them when it is told to allow
# unstable features, and without one that no longer exists and is not used. The bindings are the package's own, so no libclang.
cr_sqlite() {
  local version=0.16.3
  local source
  source=$(realpath "$folder")/cr-sqlite-$version
  if [ ! -e "$source/crsqlite.so" ]; then
    npm_package @vlcn.io/crsqlite "$version" "$source" || return
    local capi=$source/rs/sqlite-rs-embedded/sqlite3_capi
    cp "$source"/rs/bundle_static/target/release/build/sqlite3_capi-*/out/bindings.rs "$capi/src/bindings.rs" || return
    echo 'fn main() { let to = std::env::var("OUT_DIR").unwrap() + "/bindings.rs"; std::fs::copy("src/bindings.rs", to).unwrap(); }' \
      >"$capi/build.rs"
    sed -i '/^\[build-dependencies\]/d; /^bindgen/d' "$capi/Cargo.toml"
    sed -i '/feature(concat_idents)/d' "$capi/src/lib.rs"
    find "$source/rs" -name rust-toolchain.toml -delete
    echo "building cr-sqlite $version" >&2
    (cd "$source/rs/bundle_static" && RUSTC_BOOTSTRAP=1 CRSQLITE_COMMIT_SHA=$version CARGO_TARGET_DIR="$source/target" \
      cargo build --quiet --release --features loadable_extension --config 'build.rustflags=["--cap-lints=allow"]') || return
    (cd "$source" && cc -O2 -std=c99 -fPIC -shared -Isrc -Isrc/sqlite src/crsqlite.c src/changes-vtab.c src/ext-data.c \
      target/release/libcrsql_bundle_static.a -o crsqlite.so) || return
    rm -r "$source/target"
  fi
  cp "$source/crsqlite.so" "$folder/crsqlite.so"
}

case "$(uname -sm)" in
  "Linux x86_64") ;;
  *) echo "rivals are measured on Linux x86_64 only" >&2; exit 0 ;;
esac
skipped sqlite-sync || sqlite_sync || echo "sqlite-sync could not be installed" >&2
skipped cr-sqlite || cr_sqlite || echo "cr-sqlite could not be built" >&2
