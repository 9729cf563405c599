<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use Closure;
use MediaWiki\Block\BlockManager;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Permissions\Authority;
use MediaWiki\Permissions\GroupPermissionsLookup;
use MediaWiki\Session\Session;
use WebRequest;

/**
 * Tokens with which browsers connect, for those who may read the wiki: with the rights, blocks and rate limits of
 * whoever is passed in, never of whose session the request belongs to.
 */
class ConnectTokens {
	/** Where a session keeps the id that its tokens are named by */
	private const SESSION_KEY = 'WebSocket:sessionId';

	/**
	 * @param TokenMinter $minter
	 * @param TypeRegistry $types
	 * @param SendRate $rate
	 * @param Closure():BlockManager $blocks
	 * @param GroupPermissionsLookup $groupPermissions
	 */
	public function __construct(
		private readonly TokenMinter $minter,
		private readonly TypeRegistry $types,
		private readonly SendRate $rate,
		private readonly Closure $blocks,
		private readonly GroupPermissionsLookup $groupPermissions
	) {
	}

	/**
	 * @param Authority $authority Whose token it is
	 * @param WebRequest $request Where he is, and with which session
	 * @return array{token:string,expires:int,user:string}|null expires: Unix time; user: '' without an account;
	 *   null: he may not read the wiki, or there is no key to sign with
	 */
	public function forAuthority( Authority $authority, WebRequest $request ): ?array {
		if ( $this->minter->getProblem() !== null || !$authority->isAllowed( 'read' ) ) {
			return null;
		}
		$rate = $this->rate->forAuthority( $authority, $request->getIP() );
		$maySend = $this->maySend( $authority, $request );
		$grants = new Grants(
			$maySend && ( $rate === null || $rate['count'] > 0 ),
			$authority->isAllowed( 'websocket-presence' ),
			array_values( array_filter( $this->types->rights(), [ $authority, 'isAllowed' ] ) ),
			$rate
		);
		$name = self::userName( $authority );
		return $this->minter->connectToken( $name, $this->sessionName( $authority, $request ), $grants )
			+ [ 'user' => $name ];
	}

	/**
	 * What visitors without an account may do, wherever they are: for pages that caches keep.
	 *
	 * @return array{token:string,expires:int}|null expires: Unix time; null: the public may not read the wiki, or there
	 *   is no key to sign with
	 */
	public function forPublic(): ?array {
		$has = fn ( string $right ): bool => $this->groupPermissions->groupHasPermission( '*', $right );
		if ( $this->minter->getProblem() !== null || !$has( 'read' ) ) {
			return null;
		}
		$rate = $this->rate->forPublic();
		$grants = new Grants(
			$has( SendRate::ACTION ) && ( $rate === null || $rate['count'] > 0 ),
			$has( 'websocket-presence' ),
			array_values( array_filter( $this->types->rights(), $has ) ),
			$rate
		);
		return $this->minter->connectToken( '', $this->minter->sessionName( '' ), $grants );
	}

	/**
	 * @param Authority $authority
	 * @param WebRequest $request Where he is
	 * @return bool Whether he may send at all, however often
	 */
	public function maySend( Authority $authority, WebRequest $request ): bool {
		return $authority->isAllowed( SendRate::ACTION ) && !$this->isBlocked( $authority, $request );
	}

	/**
	 * @param Authority $authority
	 * @return string Its user's name in tokens; '' without an account
	 */
	public static function userName( Authority $authority ): string {
		return $authority->getUser()->isRegistered() ? $authority->getUser()->getName() : '';
	}

	/**
	 * @param Authority $authority
	 * @param WebRequest $request
	 * @return string The name of the session in tokens; without an account a new one each time
	 */
	public function sessionName( Authority $authority, WebRequest $request ): string {
		$isRegistered = $authority->getUser()->isRegistered();
		return $this->minter->sessionName( $isRegistered ? self::lastingId( $request->getSession() ) : '' );
	}

	/**
	 * Each login gives the session a new id, also when a user is asked for the password once more. The tabs that are
	 * open go on with the tokens from before.
	 *
	 * @param Session $session
	 * @return string The id that it had at its first token; of requests at the same time each gets the same
	 */
	private static function lastingId( Session $session ): string {
		$id = $session->get( self::SESSION_KEY ) ?? $session->getId();
		// Other sessions (bot passwords, OAuth) keep their id, and there may be no place for their data.
		if ( $session->canSetUser() ) {
			$session->set( self::SESSION_KEY, $id );
		}
		return $id;
	}

	/**
	 * @param Session $session One that ends
	 * @return string See lastingId(); the session does not know it any more
	 */
	public static function forgetLastingId( Session $session ): string {
		$id = $session->get( self::SESSION_KEY ) ?? $session->getId();
		$session->remove( self::SESSION_KEY );
		return $id;
	}

	/** Blocks of single pages, namespaces or actions have nothing to do with sending. */
	private function isBlocked( Authority $authority, WebRequest $request ): bool {
		if ( $authority->getUser()->isRegistered() ) {
			$block = $authority->getBlock();
		} elseif ( $authority->isAllowed( 'ipblock-exempt' ) ) {
			$block = null;
		} else {
			// Authority::getBlock() looks at the address only for the user of the session, which a visitor is not when
			// MediaWiki has put him in that user's place because the request comes from a foreign page.
			$blocks = ( $this->blocks )();
			$block = method_exists( $blocks, 'getBlock' )
				? $blocks->getBlock( $authority->getUser(), $request )
				: $blocks->getUserBlock( $authority->getUser(), $request, true );
		}
		return $block !== null && $block->isSitewide();
	}
}
