#!/bin/sh
# SIMULATED start script of machines with NVLink 5 and of those with NVSwitch
exec /usr/bin/nv-fabricmanager "$@"
