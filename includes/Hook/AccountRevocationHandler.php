<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Hook\BlockIpCompleteHook;
use MediaWiki\Hook\UnblockUserCompleteHook;
use MediaWiki\SpecialPage\Hook\ChangeAuthenticationDataAuditHook;
use MediaWiki\User\Hook\UserGroupsChangedHook;
use MediaWiki\User\Hook\UserLogoutHook;
use MediaWiki\User\Hook\UserRemoveGroupHook;
use MediaWiki\User\UserIdentity;

/**
 * Revokes the tokens of users who may do less, or other things, than when they got them: they are given new ones.
 */
class AccountRevocationHandler implements
	BlockIpCompleteHook,
	ChangeAuthenticationDataAuditHook,
	UnblockUserCompleteHook,
	UserGroupsChangedHook,
	UserLogoutHook,
	UserRemoveGroupHook
{
	public function __construct(
		private readonly Revoker $revoker,
		private readonly TokenMinter $tokens
	) {
	}

	/** @inheritDoc */
	public function onUserGroupsChanged( $user, $added, $removed, $performer, $reason, $oldUGMs, $newUGMs ) {
		$this->revoke( $user );
	}

	/**
	 * Maintenance scripts take groups away without the hook above. This one runs just before; the browser does not get
	 * a new token faster than that.
	 *
	 * @inheritDoc
	 */
	public function onUserRemoveGroup( $user, &$group ) {
		$this->revoke( $user );
	}

	/** @inheritDoc */
	public function onBlockIpComplete( $block, $user, $priorBlock ) {
		$this->revoke( $block->getTargetUserIdentity() );
	}

	/** @inheritDoc */
	public function onUnblockUserComplete( $block, $user ) {
		$this->revoke( $block->getTargetUserIdentity() );
	}

	/**
	 * @inheritDoc
	 *
	 * This is the last moment at which the session is there.
	 */
	public function onUserLogout( $user ) {
		$id = ConnectTokens::forgetLastingId( $user->getRequest()->getSession() );
		$this->revoker->revokeSession( $this->tokens->sessionName( $id ) );
	}

	/**
	 * Where $wgAuthManagerConfig replaces the providers, CredentialsListener among them, this hears of the changes that
	 * users make themselves.
	 *
	 * @inheritDoc
	 */
	public function onChangeAuthenticationDataAudit( $req, $status ) {
		if ( $status->isGood() ) {
			$this->revoker->revokeUser( (string)$req->username );
		}
	}

	/**
	 * Of the extension Renameuser, which is part of MediaWiki since 1.40.
	 *
	 * @param int $uid
	 * @param string $old
	 * @param string $new
	 */
	public function onRenameUserComplete( int $uid, string $old, string $new ): void {
		$this->revoker->revokeUser( $old );
		$this->revoker->revokeUser( $new );
	}

	/**
	 * Of the extension UserMerge.
	 *
	 * @param UserIdentity &$oldUser
	 * @param UserIdentity &$newUser
	 */
	public function onMergeAccountFromTo( &$oldUser, &$newUser ): void {
		$this->revoke( $oldUser );
		$this->revoke( $newUser );
	}

	/**
	 * Of the extension UserMerge.
	 *
	 * @param UserIdentity &$oldUser
	 */
	public function onDeleteAccount( &$oldUser ): void {
		$this->revoker->revokeUser( $oldUser->getName() );
	}

	/** Addresses have no tokens of their own, and users of other wikis have none from here. */
	private function revoke( ?UserIdentity $user ): void {
		if ( $user !== null && $user->getWikiId() === UserIdentity::LOCAL && $user->isRegistered() ) {
			$this->revoker->revokeUser( $user->getName() );
		}
	}
}
