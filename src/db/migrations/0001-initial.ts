// The first schema: tenants, credentials, lists, logins, leases, audit, changes, traffic.

import type { ColumnTypes } from "../migrate.ts";

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function initial({ text, int, big, serial, strict }: ColumnTypes): string[] {
  return [
    `create table organizations (
      id ${text} primary key, name ${text} not null, name_key ${text} not null,
      require_totp ${int} not null, created_at ${big} not null)${strict}`,
    `create unique index ux_organizations__name_key on organizations (name_key)`,
    `create index ix_organizations__created on organizations (created_at, id)`,

    `create table accounts (
      id ${text} primary key, username ${text} not null, username_key ${text} not null, email ${text},
      password_hash ${text}, password_changed_at ${big}, token_hash ${text},
      is_admin ${int} not null, is_org_admin ${int} not null, org_id ${text} references organizations (id),
      active ${int} not null, totp_secret ${text}, totp_enrolled_at ${big},
      created_at ${big} not null, last_used_at ${big} not null)${strict}`,
    `create unique index ux_accounts__username_key on accounts (username_key)`,
    `create unique index ux_accounts__token_hash on accounts (token_hash)`,
    `create unique index ux_accounts__email on accounts (email)`,
    `create index ix_accounts__created on accounts (created_at, id)`,
    `create index ix_accounts__last_used on accounts (last_used_at, id)`,
    `create index ix_accounts__org_username on accounts (org_id, username_key)`,
    `create index ix_accounts__org_created on accounts (org_id, created_at, id)`,
    `create index ix_accounts__org_last_used on accounts (org_id, last_used_at, id)`,
    `create index ix_accounts__active_username on accounts (active, username_key)`,
    `create index ix_accounts__active_created on accounts (active, created_at, id)`,
    `create index ix_accounts__admins on accounts (is_admin, username_key) where is_admin = 1`,

    `create table applications (
      id ${text} primary key, org_id ${text} not null references organizations (id), subdomain ${text} not null,
      name ${text} not null, auth_mode ${text} not null, is_active ${int} not null,
      total_connections ${big} not null default 0, bytes_sent ${big} not null default 0,
      bytes_received ${big} not null default 0, request_count ${big} not null default 0,
      created_at ${big} not null)${strict}`,
    `create unique index ux_applications__subdomain on applications (subdomain)`,
    `create index ix_applications__created on applications (created_at, id)`,
    `create index ix_applications__name on applications (name, id)`,
    `create index ix_applications__org_subdomain on applications (org_id, subdomain)`,
    `create index ix_applications__org_name on applications (org_id, name, id)`,
    `create index ix_applications__org_created on applications (org_id, created_at, id)`,

    `create table policies (
      id ${text} primary key, owner_id ${text} not null,
      org_id ${text} not null references organizations (id) on delete cascade,
      app_id ${text} references applications (id) on delete cascade,
      auth_type ${text} not null, basic_username ${text}, basic_password_hash ${text},
      oidc_issuer_url ${text}, oidc_client_id ${text}, oidc_client_secret ${text}, oidc_scopes_json ${text},
      oidc_allowed_domains_json ${text}, oidc_required_claims_json ${text},
      api_key_enabled ${int} not null, allow_preflight ${int} not null, session_hours ${int} not null,
      allow_ips_json ${text} not null, deny_ips_json ${text} not null,
      version ${text} not null, updated_at ${big} not null)${strict}`,
    `create unique index ux_policies__owner_id on policies (owner_id)`,
    `create index ix_policies__org on policies (org_id)`,
    `create index ix_policies__app on policies (app_id)`,

    `create table rate_limits (
      app_id ${text} primary key references applications (id) on delete cascade, enabled ${int} not null,
      max_attempts ${int} not null, window_seconds ${int} not null, block_seconds ${int} not null,
      updated_at ${big} not null)${strict}`,

    `create table api_keys (
      id ${text} primary key, org_id ${text} not null references organizations (id) on delete cascade,
      app_id ${text} references applications (id) on delete cascade, key_hash ${text} not null,
      prefix ${text} not null, description ${text} not null, scope ${text} not null, created_by ${text},
      created_at ${big} not null, expires_at ${big}, last_used_at ${big} not null)${strict}`,
    `create unique index ux_api_keys__key_hash on api_keys (key_hash)`,
    `create index ix_api_keys__created on api_keys (created_at, id)`,
    `create index ix_api_keys__last_used on api_keys (last_used_at, id)`,
    `create index ix_api_keys__org_created on api_keys (org_id, created_at, id)`,
    `create index ix_api_keys__org_last_used on api_keys (org_id, last_used_at, id)`,
    `create index ix_api_keys__app_created on api_keys (app_id, created_at, id)`,

    `create table whitelist_entries (
      id ${text} primary key, level ${text} not null, owner_id ${text} not null,
      org_id ${text} references organizations (id) on delete cascade,
      app_id ${text} references applications (id) on delete cascade,
      account_id ${text} references accounts (id) on delete cascade,
      cidr ${text} not null, description ${text} not null, created_by ${text}, created_at ${big} not null)${strict}`,
    `create unique index ux_whitelist_entries__owner_id__cidr on whitelist_entries (owner_id, cidr)`,
    `create index ix_whitelist__level_created on whitelist_entries (level, created_at, id)`,
    `create index ix_whitelist__owner_created on whitelist_entries (owner_id, created_at, id)`,
    `create index ix_whitelist__org_level_created on whitelist_entries (org_id, level, created_at, id)`,
    `create index ix_whitelist__app on whitelist_entries (app_id)`,
    `create index ix_whitelist__account on whitelist_entries (account_id)`,

    `create table leases (
      name ${text} primary key, kind ${text} not null, holder_id ${text} not null,
      account_id ${text} references accounts (id) on delete cascade,
      key_id ${text} references api_keys (id) on delete cascade,
      org_id ${text} references organizations (id) on delete cascade,
      app_id ${text} references applications (id) on delete cascade,
      agent_id ${text} not null, generation ${big} not null, tunnel_id ${text} not null, random ${int} not null,
      taken_at ${big} not null, free_at ${big})${strict}`,
    `create index ix_leases__holder on leases (holder_id, name)`,
    `create index ix_leases__account on leases (account_id)`,
    `create index ix_leases__key on leases (key_id)`,
    `create index ix_leases__org on leases (org_id)`,
    `create index ix_leases__app on leases (app_id)`,
    `create index ix_leases__free on leases (free_at)`,

    `create table tunnels (
      id ${text} primary key, name ${text} not null, kind ${text} not null, account_id ${text}, key_id ${text},
      org_id ${text}, app_id ${text}, agent_id ${text} not null, agent_version ${text} not null,
      address ${text} not null, opened_at ${big} not null, closed_at ${big}, close_reason ${text},
      requests ${big} not null default 0, connections ${big} not null default 0,
      bytes_in ${big} not null default 0, bytes_out ${big} not null default 0)${strict}`,
    `create index ix_tunnels__opened on tunnels (opened_at, id)`,
    `create index ix_tunnels__name on tunnels (name, opened_at)`,
    `create index ix_tunnels__org_opened on tunnels (org_id, opened_at, id)`,
    `create index ix_tunnels__app_opened on tunnels (app_id, opened_at, id)`,
    `create index ix_tunnels__account_opened on tunnels (account_id, opened_at, id)`,
    `create index ix_tunnels__open on tunnels (opened_at, id) where closed_at is null`,

    `create table dashboard_sessions (
      id ${text} primary key, session_hash ${text} not null,
      account_id ${text} not null references accounts (id) on delete cascade, address ${text} not null,
      user_agent ${text} not null, created_at ${big} not null, last_seen_at ${big} not null,
      expires_at ${big} not null, revoked_at ${big})${strict}`,
    `create unique index ux_dashboard_sessions__session_hash on dashboard_sessions (session_hash)`,
    `create index ix_dashboard_sessions__account on dashboard_sessions (account_id, created_at, id)`,
    `create index ix_dashboard_sessions__expires on dashboard_sessions (expires_at)`,

    `create table pending_logins (
      token_hash ${text} primary key, account_id ${text} not null references accounts (id) on delete cascade,
      kind ${text} not null, totp_secret ${text}, failures ${int} not null, address ${text} not null,
      created_at ${big} not null, expires_at ${big} not null)${strict}`,
    `create index ix_pending_logins__account on pending_logins (account_id)`,
    `create index ix_pending_logins__expires on pending_logins (expires_at)`,

    `create table totp_used_steps (
      account_id ${text} not null references accounts (id) on delete cascade, step ${big} not null,
      used_at ${big} not null, primary key (account_id, step))${strict}`,
    `create index ix_totp_used_steps__used on totp_used_steps (used_at)`,

    `create table recovery_codes (
      id ${text} primary key, account_id ${text} not null references accounts (id) on delete cascade,
      code_hash ${text} not null, created_at ${big} not null, used_at ${big})${strict}`,
    `create unique index ux_recovery_codes__account_id__code_hash on recovery_codes (account_id, code_hash)`,

    `create table oauth_links (
      id ${text} primary key, account_id ${text} not null references accounts (id) on delete cascade,
      provider ${text} not null, subject ${text} not null, email ${text}, created_at ${big} not null)${strict}`,
    `create unique index ux_oauth_links__provider__subject on oauth_links (provider, subject)`,
    `create index ix_oauth_links__account on oauth_links (account_id)`,

    `create table oauth_states (
      state_hash ${text} primary key, browser_hash ${text} not null, provider ${text} not null,
      verifier ${text} not null, nonce ${text}, account_id ${text} references accounts (id) on delete cascade,
      return_path ${text} not null, created_at ${big} not null, expires_at ${big} not null)${strict}`,
    `create index ix_oauth_states__account on oauth_states (account_id)`,
    `create index ix_oauth_states__expires on oauth_states (expires_at)`,

    `create table visitor_states (
      state_hash ${text} primary key, browser_hash ${text} not null, host ${text} not null, name ${text} not null,
      app_id ${text} references applications (id) on delete cascade,
      org_id ${text} references organizations (id) on delete cascade,
      policy_version ${text} not null, issuer ${text} not null, verifier ${text} not null, nonce ${text} not null,
      return_path ${text} not null, code_hash ${text}, code_expires_at ${big}, subject ${text}, email ${text},
      id_token ${text}, created_at ${big} not null, expires_at ${big} not null)${strict}`,
    `create unique index ux_visitor_states__code_hash on visitor_states (code_hash)`,
    `create index ix_visitor_states__app on visitor_states (app_id)`,
    `create index ix_visitor_states__org on visitor_states (org_id)`,
    `create index ix_visitor_states__expires on visitor_states (expires_at)`,

    `create table visitor_sessions (
      session_hash ${text} primary key, kind ${text} not null, host ${text} not null, name ${text} not null,
      app_id ${text} references applications (id) on delete cascade,
      org_id ${text} references organizations (id) on delete cascade,
      policy_version ${text} not null, subject ${text} not null, email ${text}, id_token ${text},
      created_at ${big} not null, expires_at ${big} not null)${strict}`,
    `create index ix_visitor_sessions__app on visitor_sessions (app_id)`,
    `create index ix_visitor_sessions__org on visitor_sessions (org_id)`,
    `create index ix_visitor_sessions__policy on visitor_sessions (policy_version)`,
    `create index ix_visitor_sessions__expires on visitor_sessions (expires_at)`,

    `create table limiter_failures (
      scope ${text} not null, subject ${text} not null, slot_at ${big} not null, failures ${int} not null,
      primary key (scope, subject, slot_at))${strict}`,
    `create index ix_limiter_failures__slot on limiter_failures (slot_at)`,
    `create table limiter_blocks (
      scope ${text} not null, subject ${text} not null, blocked_at ${big} not null, until_at ${big} not null,
      primary key (scope, subject))${strict}`,
    `create index ix_limiter_blocks__until on limiter_blocks (until_at)`,

    `create table audit_log (
      seq ${big} primary key, id ${text} not null, at ${big} not null, org_id ${text}, app_id ${text},
      actor_id ${text}, actor_name ${text}, action ${text} not null, auth_type ${text}, success ${int} not null,
      reason ${text}, address ${text}, identity ${text}, key_id ${text}, request_id ${text}, details_json ${text},
      prev_hash ${text} not null, hash ${text} not null)${strict}`,
    `create index ix_audit__at on audit_log (at)`,
    `create index ix_audit__org on audit_log (org_id, seq) where org_id is not null`,
    `create index ix_audit__org_action on audit_log (org_id, action, seq) where org_id is not null`,
    `create index ix_audit__org_success on audit_log (org_id, success, seq) where org_id is not null`,
    `create index ix_audit__app on audit_log (app_id, seq) where app_id is not null`,
    `create index ix_audit__app_action on audit_log (app_id, action, seq) where app_id is not null`,
    `create index ix_audit__actor on audit_log (actor_id, seq) where actor_id is not null`,
    `create index ix_audit__actor_action on audit_log (actor_id, action, seq) where actor_id is not null`,
    `create index ix_audit__action on audit_log (action, success, seq)`,
    `create index ix_audit__success on audit_log (success, seq)`,

    `create table audit_chain (
      id ${int} primary key, head_seq ${big} not null, head_hash ${text} not null, anchor_seq ${big} not null,
      anchor_hash ${text} not null, anchored_at ${big} not null)${strict}`,
    `insert into audit_chain (id, head_seq, head_hash, anchor_seq, anchor_hash, anchored_at)
      values (1, 0, '', 0, '', 0)`,

    `create table changes (
      id ${serial}, kind ${text} not null, ref_id ${text} not null, org_id ${text},
      action ${text} not null, at ${big} not null)${strict}`,
    `create index ix_changes__at on changes (at)`,

    `create table traffic (
      resolution ${text} not null, slot_at ${big} not null, name ${text} not null, app_id ${text} not null,
      org_id ${text} not null, requests ${big} not null, connections ${big} not null, bytes_in ${big} not null,
      bytes_out ${big} not null, status_2xx ${big} not null, status_3xx ${big} not null,
      status_4xx ${big} not null, status_5xx ${big} not null,
      primary key (resolution, slot_at, name, app_id, org_id))${strict}`,
    `create index ix_traffic__org on traffic (resolution, org_id, slot_at)`,
    `create index ix_traffic__app on traffic (resolution, app_id, slot_at)`,

    `create table settings (key ${text} primary key, value ${text} not null, updated_at ${big} not null)${strict}`,
  ];
}
