#!/bin/sh
# The rooms of src/, the lowest first: each may use itself and those before it. The one list of them.
echo "base tensor data model train generate align measure survey recipe run report api cli"
