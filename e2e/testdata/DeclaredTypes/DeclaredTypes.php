<?php

use MediaWiki\MediaWikiServices;

class DeclaredTypes {
	/**
	 * Only editors read pages that only administrators may edit, and those whose titles begin with "Hidden".
	 */
	public static function onGetUserPermissionsErrors( $title, $user, $action, &$result ) {
		$restrictions = MediaWikiServices::getInstance()->getRestrictionStore()->getRestrictions( $title, 'edit' );
		$isHidden = in_array( 'sysop', $restrictions ) || str_starts_with( $title->getDBkey(), 'Hidden' );
		if ( $action !== 'read' || !$isHidden || self::isEditor( $user ) ) {
			return true;
		}
		$result = 'badaccess-group0';
		return false;
	}

	/**
	 * Clubs are for editors, and the comments on page 1 for nobody.
	 */
	public static function onWebSocketSubscribe( $performer, $type, &$allowed ) {
		if ( str_starts_with( $type, 'Club/' ) ) {
			$allowed = self::isEditor( $performer->getUser() );
		} elseif ( $type === 'Comments/1' ) {
			$allowed = false;
		}
	}

	private static function isEditor( $user ) {
		$groups = MediaWikiServices::getInstance()->getUserGroupManager()->getUserEffectiveGroups( $user );
		return (bool)array_intersect( [ 'editor', 'sysop' ], $groups );
	}
}
