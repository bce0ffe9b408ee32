#!/usr/bin/env bash
# Gets the servers that the tests of this crate start on loopback: S3 (moto, of PyPI), Azure Blob Storage (azurite, of
# npm), Google Cloud Storage (gcp-storage-emulator, of PyPI), SFTP (Debian's openssh-server), WebDAV (Debian's
# apache2-bin and rclone; dufs, of crates.io, where it is there), HDFS (Hadoop's own, of which PyPI's pyspark 2.4 has
# all that it takes; and Java).
#
#   install.sh [FOLDER]     where azurite and Hadoop go: by default $TOWPATH_SERVERS, or ~/.cache/towpath-servers
#
# What is there is left alone; what cannot be installed is reported, and the tests that need it are skipped.
set -u
folder=${1:-${TOWPATH_SERVERS:-$HOME/.cache/towpath-servers}}
mkdir -p "$folder"
export PATH=$PATH:/usr/sbin DEBIAN_FRONTEND=noninteractive

get() { # PROGRAM COMMAND…: installs it, if it is missing
    local program=$1
    shift
    if ! command -v "$program" >/dev/null && [ ! -e "$folder/node_modules/.bin/$program" ]; then
        echo "installing $program"
        timeout 180 "$@" >"$folder/install.log" 2>&1
    fi
    if ! command -v "$program" >/dev/null && [ ! -e "$folder/node_modules/.bin/$program" ]; then
        echo "SKIPPED: tests that need $program: $(tail -n 1 "$folder/install.log" 2>/dev/null)"
    fi
}

get moto_server python3 -m pip install --quiet 'moto[server]'
get gcp-storage-emulator python3 -m pip install --quiet gcp-storage-emulator
get azurite-blob npm install --silent --no-audit --no-fund --prefix "$folder" azurite
get sshd apt-get install -y -qq --no-install-recommends openssh-server
get ssh apt-get install -y -qq --no-install-recommends openssh-client
get apache2 apt-get install -y -qq --no-install-recommends apache2-bin
get rclone apt-get install -y -qq --no-install-recommends rclone
get java apt-get install -y -qq --no-install-recommends default-jre-headless

if ! [ -d "$folder/hadoop" ]; then
    echo "installing Hadoop"
    work=$(mktemp -d)
    # Its setup needs a pypandoc of that time to read its description.
    echo 'pypandoc<1.8' >"$work/then"
    jars=()
    for name in commons- guava hadoop-annotations hadoop-auth hadoop-common hadoop-hdfs htrace jackson-core-asl \
        jackson-mapper-asl javax.servlet-api javax.ws.rs jetty jsp-api leveldbjni log4j-1 netty-all protobuf-java slf4j xmlenc; do
        jars+=("*/deps/jars/$name*.jar")
    done
    mkdir "$work/hadoop"
    if PIP_CONSTRAINT=$work/then timeout 180 python3 -m pip download --quiet --no-deps --dest "$work" pyspark==2.4.8 \
        >"$folder/install.log" 2>&1 && tar -xzf "$work"/pyspark-*.tar.gz -C "$work/hadoop" --strip-components=3 \
        --wildcards "${jars[@]}" 2>>"$folder/install.log"; then
        mv "$work/hadoop" "$folder/hadoop"
    else
        echo "SKIPPED: tests that need Hadoop: $(tail -n 1 "$folder/install.log")"
    fi
    rm -rf "$work"
fi
