host
host
