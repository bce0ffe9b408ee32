"""A Hadoop file system of one name node and one data node: hdfs.py JARS FOLDER PORT.

Prints `ready` once files can be written, and takes both along when it ends.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

jars, folder, port = sys.argv[1:]
conf = os.path.join(folder, "conf")
PROPERTIES = {
    "fs.defaultFS": f"hdfs://127.0.0.1:{port}",
    "dfs.namenode.name.dir": f"file://{folder}/name",
    "dfs.datanode.data.dir": f"file://{folder}/data",
    "dfs.replication": "1",
    # Any port that is free; their web pages are not needed.
    "dfs.namenode.http-address": "127.0.0.1:0",
    "dfs.datanode.address": "127.0.0.1:0",
    "dfs.datanode.ipc.address": "127.0.0.1:0",
    "dfs.datanode.http.address": "127.0.0.1:0",
    "dfs.webhdfs.enabled": "false",
    "dfs.permissions.enabled": "false",
    "dfs.namenode.safemode.extension": "0",
    # No sync for each change: these files outlive neither the test nor the machine.
    "dfs.namenode.edits.noeditlogchannelflush": "true",
    # So that a listing takes several answers.
    "dfs.ls.limit": "40",
    # A full disk is not what is tested.
    "dfs.namenode.resource.du.reserved": "0",
}
LOGGING = """log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%p %c{1}: %m%n
"""
OPTIONS = [
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    # This Hadoop is older than Java's modules.
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
]
SERVER = "org.apache.hadoop.hdfs.server."


def end_with_this():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(name, *arguments):
    command = ["java", *OPTIONS, "-cp", f"{conf}:{jars}/*", SERVER + name, *arguments]
    log = open(log_of(name), "wb")
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, preexec_fn=end_with_this)


def log_of(name):
    return os.path.join(folder, name.split(".")[-1] + ".log")


def wait_for(name, words, process):
    while words not in open(log_of(name), errors="replace").read():
        if process.poll() is not None:
            sys.exit(open(log_of(name), errors="replace").read())
        time.sleep(0.1)


for web_page in ("hdfs", "datanode", "static"):
    os.makedirs(os.path.join(conf, "webapps", web_page), exist_ok=True)
with open(os.path.join(conf, "hdfs-site.xml"), "w") as file:
    rows = (f"<property><name>{name}</name><value>{value}</value></property>" for name, value in PROPERTIES.items())
    file.write(f"<configuration>{''.join(rows)}</configuration>")
with open(os.path.join(conf, "log4j.properties"), "w") as file:
    file.write(LOGGING)
os.environ["HADOOP_USER_NAME"] = "towpath"
if not os.path.exists(os.path.join(folder, "name")):
    if start("namenode.NameNode", "-format", "-force", "-nonInteractive").wait() != 0:
        sys.exit(open(log_of("namenode.NameNode"), errors="replace").read())
name_node = start("namenode.NameNode")
data_node = start("datanode.DataNode")
wait_for("datanode.DataNode", "successfully registered with NN", data_node)
wait_for("namenode.NameNode", "Leaving safe mode", name_node)
print("ready", flush=True)
data_node.wait()
name_node.wait()
