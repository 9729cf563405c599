/*
 * What has become of the page, for a reader who may have missed it: one question to the wiki, and its answer as the events that were missed.
 */

// Revisions that are asked for, as many as the API gives anybody.
const REVISIONS = 50;
// After an outage all readers of a wiki hear at the same moment that they have missed something, in ms; and one who has just opened the page.
const SPREAD = 30000;
const ALONE = 2000;
// When the wiki does not answer it is asked so often again.
const RETRIES = 1;

/**
 * @param {{page: number, name: string}} shown id and name of the page
 * @return {Object} parameters for the wiki's API
 */
export function question( { page, name } ) {
	return {
		action: 'query',
		formatversion: 2,
		pageids: page,
		prop: 'revisions',
		rvprop: 'ids|timestamp|user',
		rvlimit: REVISIONS,
		// If the page is gone, who has deleted it.
		list: 'logevents',
		leaction: 'delete/delete',
		letitle: name,
		leprop: 'user|timestamp',
		lelimit: 1
	};
}

/**
 * @param {Object} answer of the API
 * @param {{page: number, name: string, revision: number}} shown
 * @return {Object[]|null} events as the wiki would have told them, in order; null when it does not say
 */
export function events( answer, { page, name, revision } ) {
	const { pages, logevents } = answer.query || {};
	const found = ( pages || [] )[ 0 ];
	if ( !found ) {
		return null;
	}
	if ( found.missing ) {
		const log = ( logevents || [] )[ 0 ] || {};
		return [ { event: 'delete', page, user: log.user, time: log.timestamp } ];
	}
	const newer = ( found.revisions || [] ).filter( ( { revid } ) => revid > revision ).reverse();
	// How many there are is not known when they do not all fit.
	const told = newer.slice( newer.length < REVISIONS ? 0 : -1 ).map( ( { revid, parentid, user, timestamp } ) => ( {
		event: 'edit', page, rev: revid, parent: parentid, user, time: timestamp
	} ) );
	const target = String( found.title ).replace( / /g, '_' );
	if ( target !== name ) {
		const last = newer[ newer.length - 1 ] || {};
		told.push( { event: 'move', page, target, rev: last.revid, time: last.timestamp } );
	}
	return told;
}

/**
 * Make what asks, once for all that was missed within a moment.
 *
 * @param {Object} env
 * @param {{page: number, name: string, revision: number}} env.shown
 * @param {function(Object): Promise<Object>} env.get asks the wiki's API
 * @param {function(Object[])} env.tell takes the events
 * @param {function(Function, number)} env.after runs a function after so many ms
 * @param {function(Function)} env.look runs a function when somebody looks at the page
 * @param {function(): boolean} env.alone whether this page has not been connected yet, so that nothing has happened to all at once
 * @param {function(): number} env.random from 0 to 1
 * @return {function()} to be called when something was missed
 */
export function catchUp( { shown, get, tell, after, look, alone, random } ) {
	let waiting = false;
	const begin = ( tries ) => {
		if ( waiting ) {
			return;
		}
		waiting = true;
		after( () => look( () => {
			waiting = false;
			get( question( shown ) ).then( ( answer ) => {
				const told = events( answer, shown );
				if ( told ) {
					tell( told );
				}
			}, () => {
				if ( tries ) {
					begin( tries - 1 );
				}
			} );
		} ), random() * ( alone() ? ALONE : SPREAD ) );
	};
	return () => begin( RETRIES );
}
