#!/bin/sh
# Makes the secrets that compose.yaml hands out as files; what exists is kept.
# The folder is closed to other users of this machine. The files in it must be readable for the
# numeric users inside the containers, which own nothing here.
set -eu
cd "${1:-$(dirname "$0")}"
umask 077
mkdir -p secrets/orderhook
chmod 755 secrets/orderhook

random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # FILE: takes the secret from standard input, unless the file is there already
  if [ -e "secrets/$1" ]; then
    cat >/dev/null
  else
    cat >"secrets/$1"
    chmod 444 "secrets/$1"
    echo "made secrets/$1"
  fi
}

random 24 | keep postgres-password
random 24 | keep rabbitmq-password
{
  echo "default_user = orderhook"
  echo "default_pass = $(cat secrets/rabbitmq-password)"
} | keep rabbitmq.conf
echo "postgresql://orderhook:$(cat secrets/postgres-password)@postgres:5432/orderhook" | keep orderhook/database-url
echo "amqp://orderhook:$(cat secrets/rabbitmq-password)@rabbitmq:5672/" | keep orderhook/amqp-url
random 32 | keep orderhook/jwt
random 32 | keep orderhook/server-key
random 32 | keep orderhook/wms
random 32 | keep orderhook/courier
printf 'whsec_%s' "$(head -c 32 /dev/urandom | base64 | tr -d '\n')" | keep orderhook/crm-callback
printf 'whsec_%s' "$(random 24)" | keep orderhook/stripe
echo "Put the secret that Stripe shows for your endpoint into secrets/orderhook/stripe."
