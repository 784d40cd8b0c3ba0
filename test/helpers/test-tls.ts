// A self-signed certificate for localhost and *.localhost, valid for a hundred years; for tests only.

/** Options for `Bun.listen`/`Bun.serve`; clients pass `tls: { ca: testTls.cert }`. The key is public and protects nothing. */
export const testTls = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdSR4xJRb6im6SjdV
77zoyvnHOzhMNKThNaxSH7yASt2hRANCAASrk1a5YUluokYoTyL1HKZhg5ZOFkSA
+kWqm9LZUBCoS/DTH/CPib++ZTlocXgjUvZBwFo9+IiLIPRAzd2TplrG
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBqDCCAU6gAwIBAgIULb3ShSMYk8b2Y2jj34TnXCYk/bQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzAzNDUxOFoYDzIxMjYxMDMw
MDM0NTE4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASrk1a5YUluokYoTyL1HKZhg5ZOFkSA+kWqm9LZUBCoS/DTH/CPib++
ZTlocXgjUvZBwFo9+IiLIPRAzd2TplrGo3wwejAdBgNVHQ4EFgQUMMo02PpTfqxX
YHDBB9fHwhEo9wswHwYDVR0jBBgwFoAUMMo02PpTfqxXYHDBB9fHwhEo9wswDwYD
VR0TAQH/BAUwAwEB/zAnBgNVHREEIDAegglsb2NhbGhvc3SCCyoubG9jYWxob3N0
hwR/AAABMAoGCCqGSM49BAMCA0gAMEUCIQCOxAlj9Ii23eGGidrsBjAp72rGvlRO
vADN9Tnpv44aJgIgdP//9dQPZLMkh1mbBaAydwef/YGgOdDKFiXS7DDNbZ0=
-----END CERTIFICATE-----`,
};
