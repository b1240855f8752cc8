BEGIN {
  print "tests:"
  for (n = 0; n < 10000; n++) printf "  - name: Test %d\n    steps: [{ http: GET web/health, expect: { status: 200 } }]\n", n
}
