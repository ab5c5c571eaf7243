#!/bin/sh
# What a person would type
echo "$SANDBOX_PASSWORD"
