#!/usr/bin/env bash
# Stands before rustc for this crate alone (RUSTC_WORKSPACE_WRAPPER): counts which lines run. The library stays mapped until
# the process ends, so that it writes its counts once and not at every close of a connection.
set -eu
case " $* " in
  *" cdylib "*) exec "$@" -C instrument-coverage -C link-arg=-Wl,-z,nodelete ;;
  *) exec "$@" -C instrument-coverage ;;
esac
