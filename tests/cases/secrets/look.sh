# Is any of the secrets to be found, in any form, in what the run left?
for secret in 'hunter 2/+' 'hunter%202' 'hunter+2' 'aHVudGVyIDIv' 'hunter 2\/' from-dot-env-9; do
  grep -rlF -- "$secret" .seam report.* said.* | sed "s|^|$secret stands in |"
done
# What nobody declared is known by where it passes; in the user's own files, which are kept, it stands as it stands.
for secret in top-secret-token undeclared-api-key pa55-of-ann; do
  grep -rlF -- "$secret" .seam report.* said.* | xargs -r grep -L '^tests:' | sed "s|^|$secret stands in |"
done
