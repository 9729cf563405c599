<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

use MediaWiki\Extension\WebSocket\SubscriptionTokens;
use MediaWiki\Extension\WebSocket\Types\Declaration;
use MediaWiki\Extension\WebSocket\Types\Pattern;
use MediaWiki\Extension\WebSocket\Types\TypeMatch;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Permissions\Authority;

/**
 * Who may read and send which types where there is no relay to decide it: the same as with one.
 */
class TypeAccess {
	public function __construct(
		private readonly TypeRegistry $types,
		private readonly SubscriptionTokens $tokens
	) {
	}

	/**
	 * @param Authority $authority Who may read the wiki; the caller sees to that
	 * @param string[] $types
	 * @return array<string,array{code:string,message:string}> Why not, by type
	 */
	public function readRefusals( Authority $authority, array $types ): array {
		$refusals = [];
		$special = [];
		foreach ( $types as $type ) {
			$match = $this->types->match( $type );
			if ( $match?->declaration?->needsToken ) {
				$special[] = $type;
				continue;
			}
			$refusal = $this->typeRefusal( $type, $match ) ?? $this->readRefusal( $authority, $match?->declaration );
			if ( $refusal !== null ) {
				$refusals[$type] = $refusal;
			}
		}
		return $refusals + ( $special ? $this->tokens->refusals( $authority, $special ) : [] );
	}

	/**
	 * @param Authority $authority Who may send at all
	 * @param string $type
	 * @return array{code:string,message:string}|null null: he may send it
	 */
	public function sendRefusal( Authority $authority, string $type ): ?array {
		$match = $this->types->match( $type );
		$send = $match?->declaration?->send ?? Declaration::SEND_ANYONE;
		return $this->typeRefusal( $type, $match ) ?? match ( true ) {
			// With the id of whatever wiki.
			$send === Declaration::SEND_WIKI || preg_match( '/^[^:]*:@/', $type ) =>
				$this->forbidden( 'only the wiki itself sends this type' ),
			$send === Declaration::SEND_ANYONE => null,
			$send === Declaration::SEND_USER => $authority->getUser()->isRegistered()
				? null
				: $this->forbidden( 'to send this type takes an account' ),
			!$authority->isAllowed( $send ) => $this->forbidden( "to send this type takes the user right $send" ),
			default => null,
		};
	}

	private function typeRefusal( string $type, ?TypeMatch $match ): ?array {
		$problem = Pattern::typeProblem( $type );
		if ( $problem !== null ) {
			return [ 'code' => 'bad-request', 'message' => "this cannot be a type: $problem" ];
		}
		return $match?->declaration || $this->types->isOpen()
			? null
			: $this->forbidden( 'the wiki has not declared this type' );
	}

	private function readRefusal( Authority $authority, ?Declaration $declaration ): ?array {
		$right = $declaration?->readRight();
		return match ( true ) {
			$right !== null && !$authority->isAllowed( $right ) =>
				$this->forbidden( "the type needs the user right $right" ),
			$declaration?->read === Declaration::READ_USER && !$authority->getUser()->isRegistered() =>
				$this->forbidden( 'the type needs an account' ),
			default => null,
		};
	}

	/** @return array{code:string,message:string} */
	private function forbidden( string $message ): array {
		return [ 'code' => 'forbidden', 'message' => $message ];
	}
}
