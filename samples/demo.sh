#!/bin/sh
# The sample shop, from an empty store to the second touches. No account, no network: all goes to omni-demo/outbox.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
rm -rf omni-demo
mkdir omni-demo
cp -R omni.yaml campaigns templates samples omni-demo/
cd omni-demo

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
quoted() { for word; do case $word in *[!A-Za-z0-9_./:=,-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac; done; }
do_it() { printf '\033[2m$ omni%s\033[0m\n' "$(quoted "$@")"; omni "$@"; }

say "1. Is the project right, and does every channel tell every persona the same facts?"
do_it lint --profile production
do_it message check

say "2. Stories lived through on a virtual clock, with the real engine: every branch"
do_it campaign test bienvenue --coverage

say "3. The people, with their consents, zones and gaps; and what they did before today"
do_it contact import samples/people.csv --map samples/people.map.yaml --as-of "2027-01-04 09:00"
do_it response import samples/events.jsonl --as-of "2027-01-04 11:00"
do_it segment count "segment nouveaux and segment joignables" --as-of "2027-01-04 11:00"

say "4. Three campaigns open their doors on Monday 4 January 2027"
do_it campaign start bienvenue --since 2026-12-29 --as-of "2027-01-04 11:30"
do_it campaign start panier-abandonne --since 2027-01-04 --as-of "2027-01-04 11:30"
do_it campaign start reconquete --as-of "2027-01-04 11:30"

do_it campaign run bienvenue panier-abandonne reconquete --as-of "2027-01-04 11:30"

say "5. Who would get what, why, at what cost, and who is held back: nothing is sent by looking, and the plan is kept"
do_it campaign plan bienvenue --as-of "2027-01-05 10:00" --out mardi.plan

say "6. Tuesday, 10:00: exactly that plan is sent, into the outbox; then what else is due"
do_it campaign run bienvenue --plan mardi.plan --as-of "2027-01-05 10:00"
do_it campaign run panier-abandonne reconquete --as-of "2027-01-05 10:00"

say "7. Some answers come back"
answers() { omni contact list --segment "$1" --limit "$2" --json | sed -n 's/^ *"id": "\([^"]*\)".*/\1/p'; }
for id in $(answers "enrolled bienvenue and address.email" 12 | sed -n '1p;4p;7p'); do
  do_it response add "$id" clicked --campaign bienvenue --message offre-bienvenue --channel email --at "2027-01-05 18:20" --as-of "2027-01-05 18:30"
done
for id in $(answers "enrolled bienvenue and address.email" 12 | sed -n '2p'); do
  do_it response add "$id" purchase --value "39.92 EUR" --at "2027-01-06 12:05" --as-of "2027-01-06 12:10"
done

say "8. Friday: silence, a click and a purchase have parted the ways; the next touches"
do_it campaign run bienvenue panier-abandonne reconquete --as-of "2027-01-08 11:00"
do_it campaign show bienvenue

say "9. One person, explained from data, and every decision taken again"
for id in $(answers "enrolled bienvenue and address.email" 12 | sed -n '1p'); do
  do_it contact why "$id" --campaign bienvenue --replay
done

say "10. What everybody sees, the flow drawn, and 90 days of 1,000 invented people (a simulation: the answers are assumptions)"
do_it campaign preview bienvenue -o preview.html
do_it campaign graph bienvenue -o flow.html
do_it campaign simulate bienvenue --contacts 1000 -o simulation.html

say "Look through what everybody received:"
for page in outbox/sandbox/index.html preview.html flow.html simulation.html; do printf '  %s\n' "file://$here/omni-demo/$page"; done
