#!/bin/bash
# html png width height [dark]
extra=""; [ "$5" = dark ] && extra="--blink-settings=preferredColorScheme=0"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars $extra --window-size=$3,$4 --screenshot=$2 file://$1 >/dev/null 2>&1; ls -la $2
