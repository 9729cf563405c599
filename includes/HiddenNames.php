<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Linker\LinkTarget;
use MediaWiki\Page\PageReference;
use MediaWiki\User\UserFactory;
use MediaWiki\User\UserIdentity;

/**
 * Names of users that a block hides from the public. No event carries one.
 */
class HiddenNames {
	public function __construct( private readonly UserFactory $users ) {
	}

	/**
	 * @param UserIdentity|null $user
	 * @return string|null The name; null: there is none, or it is hidden
	 */
	public function publicName( ?UserIdentity $user ): ?string {
		if ( $user === null ) {
			return null;
		}
		$isHidden = $user->isRegistered() && $this->users->newFromUserIdentity( $user )->isHidden();
		return $isHidden ? null : $user->getName();
	}

	/**
	 * @param LinkTarget|PageReference $page
	 * @return bool Whether the page's title has a hidden name in it: pages of that user
	 */
	public function isInTitle( $page ): bool {
		if ( !in_array( $page->getNamespace(), [ NS_USER, NS_USER_TALK ], true ) ) {
			return false;
		}
		[ $name ] = explode( '/', strtr( $page->getDBkey(), '_', ' ' ), 2 );
		$user = $this->users->newFromName( $name );
		return $user && $user->isRegistered() && $user->isHidden();
	}
}
