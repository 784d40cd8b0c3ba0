// Values of security headers that the API's answers and the ingress's own errors have in common.

/** Permissions-Policy: nothing of ours uses a device or a sensor. */
export const permissionsPolicy = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()";
/** Strict-Transport-Security, for the base domain alone: tenants' hosts decide for themselves. */
export const transportSecurity = "max-age=31536000";
